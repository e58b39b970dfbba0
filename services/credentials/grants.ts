import { setTimeout as pause } from 'node:timers/promises';
import type { Bus } from '../../shared/fanout/bus.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { VaultError } from '../../shared/runtime/vault.ts';
import { found } from '../../shared/store/change.ts';
import type { Collection, Patch } from '../../shared/store/collection.ts';
import type { Emit } from '../deps.ts';
import { type Credentials, noTokens } from './credentials.store.ts';
import { isFresh, renewal, retryAt } from './due.rules.ts';
import { type OAuth, TokenError, type Tokens } from './google/oauth.ts';
import { type Refusal, refused } from './google/refusals.rules.ts';
import type { SealedParts } from './keys.ts';

export interface GrantDeps {
  credentials: Collection<Credentials>;
  parts: SealedParts;
  oauth: OAuth;
  bus: Pick<Bus, 'claim'>;
  emit: Emit;
  log: Log;
}

/** What it takes to ask Google on behalf of whoever authorised credentials. */
export interface Access {
  ok: true;
  token: string;
  project: string;
  scope: string;
}

/** Milliseconds for which one process alone renews. */
const renewalMs = 10_000;
const pollMs = 100;
const notAuthorised = () => refused('unauthorized', 'These credentials are not authorised with Google');

/** Tokens of credentials: kept fresh, by one process at a time, and never replaced by older ones. */
export function grants(deps: GrantDeps) {
  const { credentials, parts, oauth, bus, emit, log } = deps;
  const renewing = new Map<string, Promise<Access | Refusal>>();

  function accessOf(record: Credentials): Access | Refusal {
    const [tokens, project] = [parts.tokens(record), parts.project(record)];
    if (!tokens || !project) return notAuthorised();
    return { ok: true, token: tokens.accessToken, project, scope: tokens.scope };
  }

  /** Writes unless other tokens took the place of these; null then. They may have been sealed anew meanwhile. */
  async function replace(record: Credentials, tokens: Tokens, patch: Patch<Credentials>): Promise<Credentials | null> {
    for (let current: Credentials | null = record; current; current = await credentials.get(record.id)) {
      const held = parts.tokens(current);
      if (held?.accessToken !== tokens.accessToken || held.refreshToken !== tokens.refreshToken) return null;
      const updated = await credentials.update(current.id, current.version, patch);
      if (updated) return updated;
    }
    return null;
  }

  async function renewed(record: Credentials, tokens: Tokens): Promise<Access | Refusal> {
    const { description, id } = record;
    try {
      const given = await oauth.refresh(parts.client(record), tokens.refreshToken);
      const next: Tokens = {
        accessToken: given.accessToken,
        refreshToken: given.refreshToken ?? tokens.refreshToken,
        scope: given.scope ?? tokens.scope,
      };
      const patch = { sealedTokens: parts.sealTokens(id, next), ...renewal(Date.now(), given.lifetimeMs) };
      const stored = await replace(record, tokens, patch);
      if (!stored) return current(id);
      await told(emit('credentials', 'reauthenticated', id, { description }));
      return accessOf(stored);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      return error.revoked ? dropped(record, tokens, error.message) : postponed(record, tokens, error.message);
    }
  }

  /** The grant has ended; somebody must authorise again. */
  async function dropped(record: Credentials, tokens: Tokens, error: string): Promise<Refusal | Access> {
    const { description, id } = record;
    if (!(await replace(record, tokens, noTokens))) return current(id);
    log.warn({ credentials: id, error }, 'Google ended a grant');
    await told(emit('credentials', 'unauthenticated', id, { description, error }));
    return notAuthorised();
  }

  /** Anything else may pass: the tokens stay. */
  async function postponed(record: Credentials, tokens: Tokens, error: string): Promise<Refusal | Access> {
    const failures = record.refreshFailures ?? 0;
    const refreshAt = retryAt(Date.now(), failures, Math.random());
    const stored = await replace(record, tokens, { refreshAt, refreshFailures: failures + 1 });
    log.warn({ credentials: record.id, error, refreshAt }, 'a token could not be renewed');
    return stored ? refused('unavailable', error, Date.parse(refreshAt) - Date.now()) : current(record.id);
  }

  async function current(id: string): Promise<Access | Refusal> {
    const record = await credentials.get(id);
    return record ? accessOf(record) : notAuthorised();
  }

  /** Another process renews: its result, once it is stored. */
  async function awaited({ id, version }: Credentials): Promise<Access | Refusal> {
    for (const end = Date.now() + renewalMs / 2; Date.now() < end; ) {
      await pause(pollMs);
      const record = await credentials.get(id);
      if (!record) return notAuthorised();
      if (record.version === version) continue;
      if (isFresh(record.tokensExpireAt, Date.now()) || !record.sealedTokens) return accessOf(record);
      break;
    }
    return refused('unavailable', 'The token is being renewed', renewalMs);
  }

  async function renewOnce(id: string, used: string | null): Promise<Access | Refusal> {
    const record = found(await credentials.get(id));
    const tokens = parts.tokens(record);
    if (!tokens) return notAuthorised();
    // Somebody was faster than the one whose token was refused.
    if (used !== null && tokens.accessToken !== used) return accessOf(record);
    const rests = (record.refreshFailures ?? 0) > 0 && (record.refreshAt ?? '') > new Date().toISOString();
    if (rests) {
      const wait = Date.parse(record.refreshAt as string) - Date.now();
      return refused('unavailable', 'The token could not be renewed', Math.max(0, wait));
    }
    const first = await bus.claim(`google renewal ${id} ${record.version}`, renewalMs).catch(() => null);
    if (first === null) return refused('unavailable', 'Who renews the token cannot be known now', renewalMs);
    return first ? renewed(record, tokens) : awaited(record);
  }

  /** The event is lost where it cannot be stored; the tokens are not. */
  const told = (emitted: Promise<void>): Promise<void> =>
    emitted.catch((err) => log.warn({ err }, 'an event of credentials could not be stored'));

  /** @param used the access token that Google refused; null where it only grows old */
  function renew(id: string, used: string | null): Promise<Access | Refusal> {
    const running = renewing.get(id);
    if (running) return running;
    const started = guarded(id, () => renewOnce(id, used)).finally(() => renewing.delete(id));
    renewing.set(id, started);
    return started;
  }

  /** What a changed encryption key made unreadable is as good as no grant. */
  async function guarded(id: string, ask: () => Promise<Access | Refusal>): Promise<Access | Refusal> {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      log.error({ credentials: id, reason: error.reason }, 'sealed credentials do not open');
      return refused('unauthorized', 'The stored credentials cannot be opened with the configured encryption keys');
    }
  }

  return {
    /** @throws Failure NOT_FOUND */
    access: (id: string): Promise<Access | Refusal> =>
      guarded(id, async () => {
        const record = found(await credentials.get(id));
        if (!record.sealedTokens) return notAuthorised();
        return isFresh(record.tokensExpireAt, Date.now()) ? accessOf(record) : renew(id, null);
      }),
    renew,
  };
}

export type Grants = ReturnType<typeof grants>;
