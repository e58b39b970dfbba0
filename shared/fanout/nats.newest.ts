import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  ErrorCode,
  type JetStreamClient,
  type JetStreamManager,
  NatsError,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats';
import type { BusLog } from './adapter/bus.log.ts';
import { isNotFound } from './adapter/nats.errors.ts';
import type { EventEnvelope } from './bus.ts';
import { decodeEnvelope } from './envelope.ts';
import type { StreamLimits } from './nats.stream.ts';
import type { BusNames } from './subjects.ts';

export interface NewestContext {
  jsm: JetStreamManager;
  js: JetStreamClient;
  names: BusNames;
  limits: StreamLimits;
  log: BusLog;
}

const batch = 1_000;
/** Milliseconds a batch may take; the server answers at once with what it has. */
const batchMs = 5_000;
const forgetAfterMs = 30_000;

/**
 * The server itself copies the events of the domain into a stream that keeps one per name and entity, whatever their
 * age. It does so a moment later, so what the events' own stream still has is read after it.
 */
export async function newestOf(context: NewestContext, domain: string): Promise<EventEnvelope[]> {
  const { names } = context;
  await ensureCopies(context, domain);
  const old = await readLast(context, names.newest(domain), names.domain(domain));
  return [...old, ...(await readLast(context, names.stream, names.domain(domain)))];
}

async function ensureCopies({ jsm, names, limits }: NewestContext, domain: string): Promise<void> {
  const name = names.newest(domain);
  const there = await jsm.streams.info(name).catch((error) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  const { replicas: num_replicas, maxBytes: max_bytes } = limits;
  if (there) {
    const { config } = there;
    if (config.num_replicas === num_replicas && config.max_bytes === max_bytes) return;
    await jsm.streams.update(name, { ...config, num_replicas, max_bytes });
    return;
  }
  await jsm.streams.add({
    name,
    sources: [{ name: names.stream, filter_subject: names.domain(domain) }],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_msgs_per_subject: 1,
    num_replicas,
    max_bytes,
  });
}

/** The last message of each subject, in the order of the stream. */
async function readLast({ jsm, js, log }: NewestContext, stream: string, filter: string): Promise<EventEnvelope[]> {
  const { name, num_pending: pending } = await jsm.consumers.add(stream, {
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.LastPerSubject,
    filter_subject: filter,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(forgetAfterMs),
  });
  const found: EventEnvelope[] = [];
  try {
    const consumer = await js.consumers.get(stream, name);
    for (let left = pending; left > 0; ) {
      const before = left;
      for await (const message of await consumer.fetch({ max_messages: Math.min(batch, left), expires: batchMs })) {
        left -= 1;
        try {
          found.push(decodeEnvelope(message.string()));
        } catch (err) {
          log.warn({ err, sequence: message.seq }, 'a malformed event was left out');
        }
      }
      if (left === before) throw new NatsError('the newest events could not be read', ErrorCode.Timeout);
    }
    return found;
  } finally {
    jsm.consumers.delete(stream, name).catch(() => {});
  }
}
