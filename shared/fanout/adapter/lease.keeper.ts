import type { Subscription } from 'nats';
import { Leases } from './leases.ts';
import type { LiveOrder } from './live.ts';
import { leaseAudience, type NamespaceNames } from './names.ts';
import type { NatsLink } from './nats.link.ts';
import type { Publisher } from './publisher.ts';
import { decodeMessage, encodeMessage, encodeValue } from './wire.ts';

export interface LeaseHost {
  uid: string;
  link: NatsLink;
  names: NamespaceNames;
  publisher: Publisher;
  newId(): string;
  /** Milliseconds after which a connection that is still there has taken what was written before. */
  proof(): number;
}

export const leaseEvery = 5_000;

/** This server's signs of life: written into the log, and heard again out of it, which says how far it has come. */
export class LeaseKeeper {
  readonly #host: LeaseHost;
  readonly #live: LiveOrder;
  readonly #leases: Leases;
  #subscription: Subscription | undefined;
  #due = false;

  constructor(host: LeaseHost, live: LiveOrder) {
    this.#host = host;
    this.#live = live;
    this.#leases = new Leases({ proof: () => host.proof(), every: leaseEvery });
  }

  /** See Lease. */
  get floor(): number {
    return this.#leases.now().floor;
  }

  start(): void {
    const { link, names, uid } = this.#host;
    this.#subscription = link.connection.subscribe(names.live(leaseAudience(uid)), {
      callback: (error, message) => !error && this.#came(message),
    });
  }

  stop(): void {
    this.#subscription?.unsubscribe();
  }

  write(): void {
    this.#host.publisher.publish(this.subject, this.message());
  }

  get subject(): string {
    return this.#host.names.log(leaseAudience(this.#host.uid));
  }

  message(): Uint8Array {
    const header = { id: this.#host.newId(), rooms: [], except: [], control: true };
    return encodeMessage(header, encodeValue(this.#leases.now()));
  }

  /** Resolves when what is before the sequence has come here: a lease that is stored later comes later. */
  async reached(sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#live.place.sequence >= sequence) return;
    if (!this.#due) {
      this.#due = true;
      setImmediate(() => {
        this.#due = false;
        this.write();
      });
    }
    await this.#live.until(sequence, signal);
  }

  /** There was a gap: nothing from before counts. */
  forget(): void {
    this.#leases.forget();
  }

  #came({ data, headers }: { data: Uint8Array; headers?: { get(name: string): string } | undefined }): void {
    const sequence = Number(headers?.get('Nats-Sequence') ?? 0);
    this.#live.take({ sequence, message: decodeMessage(data), rooms: [] });
    if (!this.#live.paused) this.#leases.reached(sequence);
  }
}
