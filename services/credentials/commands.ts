import type { Counter } from 'prom-client';
import { type Refusal, refusalOf, refused } from './google/refusals.rules.ts';
import type { GoogleReply } from './google/request.ts';
import type { Command, SdmClient } from './google/sdm.ts';
import type { Access, Grants } from './grants.ts';
import type { Priority } from './usage.rules.ts';
import type { UsageStore } from './usage.ts';

export type CommandResult = { ok: true; results: Record<string, unknown> } | Refusal;

export interface CommandDeps {
  grants: Grants;
  sdm: SdmClient;
  usage: UsageStore;
  outcomes: Counter<'outcome'>;
  /** The devices are not what they were when they were listed. */
  outdated(id: string): void;
}

/** Milliseconds for all of a command: whoever asks is answered TIMEOUT at ten seconds, and would not hear of a session. */
const boundMs = 9_500;

/** Commands of devices: within the limits, with a token that is renewed once where Google refuses it. */
export function deviceCommands({ grants, sdm, usage, outcomes, outdated }: CommandDeps) {
  async function send({ id, command, priority, until }: Sending, access: Access) {
    const wait = await usage.take(id, command.device, command.command, priority);
    if (wait > 0) return refused('rate-limited', "Google's limits leave no room now", wait);
    return sdm.execute(command, access.token, Math.max(1_000, until - performance.now()));
  }

  async function settle(id: string, command: Command, reply: GoogleReply): Promise<CommandResult> {
    if (reply.status === 200) return { ok: true, results: resultsOf(reply) };
    const refusal = refusalOf(command.command, reply);
    if (isOutdated(command, refusal)) outdated(id);
    if (reply.status !== 429) return refusal;
    return { ...refusal, retryAfterMs: await usage.block(id, command.device) };
  }

  async function run(id: string, command: Command, priority: Priority): Promise<CommandResult> {
    const sending = { id, command, priority, until: performance.now() + boundMs };
    const access = await grants.access(id);
    if (!access.ok) return access;
    const first = await send(sending, access);
    if ('ok' in first || first.status !== 401) return 'ok' in first ? first : settle(id, command, first);
    const renewed = await grants.renew(id, access.token);
    if (!renewed.ok) return renewed;
    const second = await send(sending, renewed);
    return 'ok' in second ? second : settle(id, command, second);
  }

  return async (id: string, command: Command, priority: Priority): Promise<CommandResult> => {
    const result = await run(id, command, priority);
    outcomes.inc({ outcome: result.ok ? 'ok' : result.reason });
    return result;
  };
}

interface Sending {
  id: string;
  command: Command;
  priority: Priority;
  /** By the clock of the process. */
  until: number;
}

/** A device that is gone or no longer shared, or offers something else than it did. */
const isOutdated = ({ command }: Command, { reason }: Refusal): boolean =>
  reason === 'gone' || reason === 'unauthorized' || (reason === 'unsupported' && command.includes('.Generate'));

export type DeviceCommands = ReturnType<typeof deviceCommands>;

const resultsOf = ({ body }: GoogleReply): Record<string, unknown> => {
  const results = body?.results;
  return typeof results === 'object' && results !== null && !Array.isArray(results) ? { ...results } : {};
};
