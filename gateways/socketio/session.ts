import type { Socket } from 'socket.io';
import { Failure } from '../../shared/contracts/index.ts';
import type { Principal } from '../../shared/runtime/principal.ts';
import type { Authenticator } from '../core/dispatch.types.ts';
import type { LimitHit } from './bounds.ts';
import { Minute } from './minute.ts';

/** Requests of one connection that may run at the same time. */
const maxRunning = 100;
/** setTimeout cannot wait longer (2^31 ms). */
const maxTimerMs = 2_147_483_647;

/** One client connection: who it is, what it may still ask this minute, and when its token ends it. */
export class Session {
  readonly socket: Socket;
  /** As it was last asked for. */
  principal: Principal;
  /** Absent where nobody needs one. */
  private readonly token: string | undefined;
  private readonly authenticator: Authenticator;
  private readonly messagesPerMinute: number;
  private readonly limitHit: LimitHit;
  private readonly messages = new Minute();
  private readonly heard = new Set<string>();
  private running = 0;
  private expiry: NodeJS.Timeout | undefined;
  private whenIdle: (() => void)[] = [];
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    socket: Socket,
    identity: { principal: Principal; token: string | undefined },
    authenticator: Authenticator,
    messagesPerMinute: number,
    limitHit: LimitHit = () => {},
  ) {
    this.socket = socket;
    this.principal = identity.principal;
    this.token = identity.token;
    this.authenticator = authenticator;
    this.messagesPerMinute = messagesPerMinute;
    this.limitHit = limitHit;
    this.endAtExpiry();
  }

  /** The principal as it is now: roles may have changed since the connection was made. @throws Failure */
  async currentPrincipal(): Promise<Principal> {
    return this.token === undefined ? this.principal : this.authenticator.bearer(this.token);
  }

  /** Its user has changed. @throws Failure where it may no longer be here: then it is ended as well */
  async refresh(): Promise<this> {
    this.principal = await this.currentPrincipal();
    return this;
  }

  /**
   * Listens for an event of the client. `refused` is RATE_LIMITED beyond the messages of the minute, in which each one
   * counts, also one that nothing listens for.
   */
  on(event: string, listener: (refused: Failure | undefined, ...args: unknown[]) => void): void {
    if (this.heard.size === 0) this.socket.onAny((sent) => !this.heard.has(sent) && this.countMessage());
    this.heard.add(event);
    (this.socket as NodeJS.EventEmitter).on(event, (...args) => listener(this.countMessage(), ...args));
  }

  /** Runs one request, of not too many at a time. @throws Failure RATE_LIMITED, and what `work` throws */
  async within<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= maxRunning) {
      this.limitHit('running');
      throw new Failure('RATE_LIMITED', 'Too many requests of this connection are running', { retryAfter: 1 });
    }
    this.running += 1;
    try {
      return await work();
    } finally {
      this.running -= 1;
      // The answer goes out when this promise is awaited, so not before the next turn of the event loop.
      if (this.running === 0 && this.whenIdle.length > 0) setImmediate(() => this.tellIdle());
    }
  }

  /** One after the other, as they came; `within` bounds how many wait. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  /** Resolves when what runs is answered, at the latest after the milliseconds given. */
  async idle(withinMs: number): Promise<void> {
    if (this.running === 0) return;
    await new Promise<void>((resolve) => {
      this.whenIdle.push(resolve);
      setTimeout(resolve, withinMs).unref();
    });
  }

  /** Ends the connection after the answers of what runs: who logs out is told so. */
  async end(withinMs: number): Promise<void> {
    await this.idle(withinMs);
    this.socket.disconnect(true);
  }

  close(): void {
    clearTimeout(this.expiry);
    this.tellIdle();
  }

  private tellIdle(): void {
    for (const tell of this.whenIdle.splice(0)) tell();
  }

  private countMessage(): Failure | undefined {
    if (this.messagesPerMinute === 0 || this.messages.add() <= this.messagesPerMinute) return undefined;
    this.limitHit('messages');
    return new Failure('RATE_LIMITED', undefined, { retryAfter: this.messages.secondsLeft() });
  }

  private endAtExpiry(): void {
    const { expires } = this.principal;
    if (expires === undefined || !Number.isFinite(expires)) return;
    const left = expires * 1_000 - Date.now();
    const end = () => (left > maxTimerMs ? this.endAtExpiry() : this.socket.disconnect(true));
    this.expiry = setTimeout(end, Math.min(Math.max(0, left), maxTimerMs));
    this.expiry.unref();
  }
}
