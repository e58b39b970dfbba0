import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  nanos,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from 'nats';
import { isNotFound } from './adapter/nats.errors.ts';
import { recognisedMs } from './recent.ts';
import type { BusNames } from './subjects.ts';

export interface StreamLimits {
  /** Copies in a cluster: 1, 3 or 5. */
  replicas: number;
  /** Milliseconds an event is kept. */
  maxAge: number;
  maxBytes: number;
}

/** Milliseconds after which an event whose handler is not heard of goes to another process of the tier. */
export const ackWait = 5_000;
/** Milliseconds without a pull after which the server forgets a plain follower's consumer. */
const forgetAfter = 60_000;

function limitsOf({ replicas, maxAge, maxBytes }: StreamLimits) {
  return { num_replicas: replicas, max_age: nanos(maxAge), max_bytes: maxBytes };
}

/** The stream of a bus, made where there is none; its limits are brought to those given. */
export async function ensureStream(jsm: JetStreamManager, names: BusNames, limits: StreamLimits): Promise<StreamInfo> {
  const wanted = limitsOf(limits);
  const info = await jsm.streams.info(names.stream).catch((error) => {
    if (isNotFound(error)) return null;
    throw error;
  });
  if (!info) {
    return jsm.streams.add({
      name: names.stream,
      subjects: [names.events],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(recognisedMs),
      ...wanted,
    });
  }
  const { num_replicas, max_age, max_bytes } = info.config;
  const same = num_replicas === wanted.num_replicas && max_age === wanted.max_age && max_bytes === wanted.max_bytes;
  return same ? info : jsm.streams.update(names.stream, { ...info.config, ...wanted });
}

/** The consumer one lane of a tier shares; an existing one keeps its place in the stream. `from` is for a new one. */
export async function ensureTierConsumer(
  jsm: JetStreamManager,
  names: BusNames,
  tier: { name: string; lane: number; from: number },
): Promise<void> {
  const there = () => jsm.consumers.info(names.stream, tier.name);
  const missing = await there().then(
    () => false,
    (error) => {
      if (isNotFound(error)) return true;
      throw error;
    },
  );
  if (!missing) return;
  const config: Partial<ConsumerConfig> = {
    durable_name: tier.name,
    filter_subject: names.lane(tier.lane),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWait),
    // One event at a time, over all processes: what keeps the order when one of them fails or dies.
    max_ack_pending: 1,
    max_deliver: -1,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: tier.from,
  };
  // Another process of the tier may have been faster, with another place to start from.
  await jsm.consumers.add(names.stream, config).catch((error) =>
    there().catch(() => {
      throw error;
    }),
  );
}

/** A consumer for one process that starts at the sequence `from`, forgotten by the server when nobody pulls. */
export async function addPlainConsumer(
  jsm: JetStreamManager,
  names: BusNames,
  name: string,
  from: number,
): Promise<void> {
  await jsm.consumers.add(names.stream, {
    name,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(forgetAfter),
  });
}
