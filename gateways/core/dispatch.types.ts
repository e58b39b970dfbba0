import type { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';

/** A command as every protocol hands it over, envelope already checked. */
export interface Request {
  readonly module: string;
  readonly command: string;
  readonly requestId: string;
  readonly entity?: string;
  readonly payload?: unknown;
}

export type Protocol = 'http' | 'socketio' | 'mqtt';

export interface Dispatcher {
  /**
   * Runs a command for a principal. With `jsonText` the result may be a JsonText, for who only passes it on.
   * @throws Failure, always one a client may read.
   */
  dispatch(request: Request, principal: Principal, protocol: Protocol, form?: 'jsonText'): Promise<unknown>;
}

export interface KeyPrincipal extends Principal {
  /** Whether a request with this key must be signed. */
  readonly requireSignature: boolean;
}

/** Told of a user whose sessions must end: those of the principals for which `which` holds. */
export type RevokedHandler = (userId: string, which: (principal: Principal) => boolean) => void;

/** Turns what a client presents into a principal. */
export interface Authenticator {
  /** @throws Failure UNAUTHORIZED for a bad, expired or revoked token, UNAVAILABLE when that cannot be known. */
  bearer(token: string): Promise<Principal>;
  /**
   * Who a user that was let in is now, as far as users are ours: else the same, whose roles its token said.
   * @throws Failure UNAUTHORIZED where it may no longer log in, UNAVAILABLE when that cannot be known.
   */
  current(user: Principal): Promise<Principal>;
  /** @throws Failure INVALID_API_KEY */
  apiKey(key: string): Promise<KeyPrincipal>;
  /** Who presents nothing: anonymous, or, where AUTH_STRATEGY is none, an administrator. */
  nobody(): Principal;
  /** Calls back when principals that were let in must end: logged out, changed, deleted. */
  onRevoked(handler: RevokedHandler): void;
  /** Calls back when a user that may stay has other roles, or another name or address, now. */
  onChanged(handler: (userId: string) => void): void;
  /** Where the principals of open sessions are found, as `bearer` gave them: they are checked again now and then. */
  holds(holder: () => Iterable<Principal>): void;
  /** For who holds its session elsewhere: the version of the token `bearer` was asked about; undefined where it has none. */
  tokenVersion(principal: Principal): number | undefined;
  /**
   * The version tokens must have, of those among 200 users at most who may log in.
   * @throws Failure UNAVAILABLE
   */
  tokenVersions(userIds: string[]): Promise<ReadonlyMap<string, number>>;
  /** Whether its user was revoked since `bearer` gave it: a session that is only being made was not told. */
  wasRevoked(principal: Principal): boolean;
}

export type { Failure };
