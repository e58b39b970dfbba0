import { Slots } from '../../shared/mailbox/slots.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Sessions } from './sessions.ts';
import type { CameraStream, Feed } from './streams.store.ts';

/** Sessions that are stopped at a time, and that may be about to be: what is beyond ends by itself within 5 minutes. */
const atATime = 32;
const most = 1_000;

/** Sessions with Google that nobody uses any more are stopped here, while what comes next goes on. */
export class Closings {
  readonly #sessions: Pick<Sessions, 'close'>;
  readonly #log: Log;
  readonly #slots = new Slots(atATime);
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(sessions: Pick<Sessions, 'close'>, log: Log) {
    this.#sessions = sessions;
    this.#log = log;
  }

  add(stream: CameraStream, feed: Feed): void {
    if (this.#stopped || feed.sealed === null) return;
    if (this.#running.size >= most) {
      this.#log.warn({ camera: stream.id }, 'a session is left to end by itself: too many are being stopped');
      return;
    }
    const running = this.#close(stream, feed)
      .catch((err) => this.#log.warn({ err, camera: stream.id }, 'a session could not be stopped; it ends by itself'))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when what has begun is over; what waits is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #close(stream: CameraStream, feed: Feed): Promise<void> {
    await this.#slots.take();
    try {
      if (!this.#stopped) await this.#sessions.close(stream, feed);
    } finally {
      this.#slots.give();
    }
  }
}
