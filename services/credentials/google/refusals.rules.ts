import type { refusalReasons } from '../../../shared/contracts/credentials.contract.ts';
import type { GoogleReply } from './request.ts';

export type Reason = (typeof refusalReasons)[number];

/** Why a command was not run, as `credentials.command` answers it. */
export interface Refusal {
  ok: false;
  reason: Reason;
  message: string;
  retryAfterMs: number | null;
}

export const refused = (reason: Reason, message: string, retryAfterMs: number | null = null): Refusal => ({
  ok: false,
  reason,
  message,
  retryAfterMs,
});

const maxMessage = 300;

/** Google's own sentence, in one bounded line; `HTTP <status>` where there is none. */
export function messageOf({ status, body }: GoogleReply): string {
  const error = body?.error as { message?: unknown } | string | undefined;
  const text = typeof error === 'object' ? error?.message : (body?.error_description ?? error);
  if (typeof text !== 'string' || text === '') return `HTTP ${status}`;
  return text.replace(/[\p{Cc}\s]+/gu, ' ').slice(0, maxMessage);
}

/**
 * An answer other than 200 as a reason. Google tells most faults of a session by their message only; on a command that
 * needs a session, what is not said to be unsupported means that the session is over.
 */
export function refusalOf(command: string, reply: GoogleReply): Refusal {
  const message = messageOf(reply);
  return refused(reasonOf(command, reply, message), message);
}

function reasonOf(command: string, { status, body }: GoogleReply, message: string): Reason {
  if (status === 400) return badRequest(command, statusNameOf(body), message);
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'gone';
  if (status === 409) return 'busy';
  if (status === 429) return 'rate-limited';
  return 'unavailable';
}

function badRequest(command: string, name: unknown, message: string): Reason {
  if (/offer/i.test(message)) return 'invalid';
  if (/not supported/i.test(message)) return 'unsupported';
  if (/\.(Extend|Stop)/.test(command) || /invalid session|user id mismatch/i.test(message)) return 'session-lost';
  if (name === 'FAILED_PRECONDITION') return /belong to the camera/i.test(message) ? 'invalid' : 'busy';
  return 'unsupported';
}

const statusNameOf = (body: GoogleReply['body']): unknown => (body?.error as { status?: unknown } | undefined)?.status;
