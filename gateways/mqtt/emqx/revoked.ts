import type { Bus } from '../../../shared/fanout/bus.ts';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Authenticator } from '../../core/dispatch.types.ts';
import { OnceMore } from '../../core/once.more.ts';
import { pause } from '../../core/pause.ts';
import type { EmqxApi, EmqxClient } from './api.ts';

export interface EmqxSessionsDeps {
  readonly api: Pick<EmqxApi, 'clients' | 'kick'>;
  readonly authenticator: Pick<Authenticator, 'onRevoked' | 'tokenVersions'>;
  readonly bus: Pick<Bus, 'onGap'>;
  readonly log: Log;
}

/** Milliseconds between looks at every session, which find what no notice told. */
const everyMs = 60_000;
/** Milliseconds after which a login that was being let in when its token ended is at EMQX. */
const againMs = 1_000;
const maxAttempts = 20;
const maxPauseMs = 5_000;
/** Users asked about in one call. */
const perCall = 200;

/**
 * Ends the sessions at EMQX whose tokens have ended: EMQX itself knows of their expiry alone. Each gateway does, so that
 * one that dies or was cut off leaves nobody connected; whoever comes second finds nobody.
 */
export class EmqxSessions {
  readonly #deps: EmqxSessionsDeps;
  readonly #timer: NodeJS.Timeout;
  readonly #looks = new OnceMore(() => this.#lookAtAll());
  #stopped = false;

  constructor(deps: EmqxSessionsDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.look(), everyMs).unref();
    deps.authenticator.onRevoked(() => {
      this.look();
      setTimeout(() => this.look(), againMs).unref();
    });
    deps.bus.onGap(() => this.look());
    this.look();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Looks at every session, now or, where one look runs, after it: any number of revocations make one more. */
  look(): void {
    this.#looks.ask();
  }

  async #lookAtAll(): Promise<void> {
    for (let failures = 0; failures < maxAttempts && !this.#stopped; ) {
      try {
        return await this.#endOutdated();
      } catch (error) {
        failures += 1;
        this.#deps.log.warn({ err: error, failures }, 'sessions at EMQX could not be looked at');
        await pause(Math.min(200 * failures, maxPauseMs));
      }
    }
  }

  async #endOutdated(): Promise<void> {
    const { api, authenticator, log } = this.#deps;
    const held = (await api.clients()).flatMap(sessionOf);
    const ids = [...new Set(held.map(({ userId }) => userId))];
    const outdated: string[] = [];
    for (let at = 0; at < ids.length; at += perCall) {
      const asked = new Set(ids.slice(at, at + perCall));
      const versions = await authenticator.tokenVersions([...asked]);
      for (const { clientId, userId, tokenVersion } of held) {
        // Versions only grow: a session of a newer one came after the answer.
        if (asked.has(userId) && tokenVersion < (versions.get(userId) ?? Number.POSITIVE_INFINITY)) {
          outdated.push(clientId);
        }
      }
    }
    if (outdated.length === 0) return;
    await api.kick(outdated);
    log.info({ sessions: outdated.length }, 'sessions at EMQX ended: their tokens are no longer good');
  }
}

interface HeldSession {
  clientId: string;
  userId: string;
  tokenVersion: number;
}

/** None where nobody logged in, or tokens have no version. */
function sessionOf({ clientid, client_attrs: attributes }: EmqxClient): HeldSession[] {
  const { principal, version } = attributes ?? {};
  if (!principal || !version || !/^\d+$/.test(version)) return [];
  return [{ clientId: clientid, userId: principal, tokenVersion: Number(version) }];
}
