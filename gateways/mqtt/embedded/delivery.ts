import type { Aedes, Client, PublishPacket } from 'aedes';
import type { Log } from '../../../shared/runtime/log.ts';
import type { QoS } from '../broker.ts';
import type { Addressed } from './addressed.ts';
import type { Session, Stored } from './session.ts';

/** A client that left so many bytes unread is cut; Aedes cuts one whose buffer does not drain in time. */
const unreadBytes = 1_048_576;

/** Brings messages to sessions, without the subscriptions of Aedes: a slow client makes nobody wait. */
export class Delivery {
  readonly #aedes: { readonly id: string; counter: number };
  readonly #log: Log;

  constructor(aedes: Aedes, log: Log) {
    this.#aedes = aedes as unknown as { id: string; counter: number };
    this.#log = log;
  }

  /** To one session, where it hears the topic: online, just connecting, or away with a session that is kept. */
  to(session: Session, topic: string, payload: Buffer, asked: QoS, addressed: Addressed): void {
    const granted = session.hears(topic);
    if (granted === undefined) return;
    const message = this.#message(topic, payload, Math.min(asked, granted) as QoS, addressed);
    const { client } = session;
    if (client) this.#send(client, message);
    else if (session.connections.size > 0) this.#ifRoom(session, session.hold(message));
    else if (message.qos > 0) this.#ifRoom(session, session.enqueue(message));
  }

  /** The client is there now: what was held for it goes out. */
  ready(session: Session, client: Client): void {
    for (const message of session.held.splice(0)) this.#send(client, message);
  }

  /** With a number, by which Aedes finds a stored message again. */
  #message(topic: string, payload: Buffer, qos: QoS, properties: Addressed): Stored {
    this.#aedes.counter += 1;
    const number = { brokerId: this.#aedes.id, brokerCounter: this.#aedes.counter };
    return { cmd: 'publish', topic, payload, qos, retain: false, dup: false, properties, ...number };
  }

  #send(client: Client, message: Stored): void {
    if (client.conn.writableLength > unreadBytes) {
      this.#log.info({ clientId: client.id }, 'MQTT client cut: it does not read');
      client.close();
      return;
    }
    client.publish(message as unknown as PublishPacket, (error) => {
      if (error) client.close();
    });
  }

  #ifRoom({ clientId }: Session, room: boolean): void {
    if (!room) this.#log.warn({ clientId }, 'MQTT message dropped: the queue of the session is full');
  }
}
