import type { Connection } from './session.ts';

/**
 * Rides on a message in place of the MQTT 5 properties, which Aedes carries along and its MQTT 3.1.1 clients never see
 * nor send: whom the message is for. No message without it reaches a client.
 */
export class Addressed {
  readonly #rule: (connection: Connection) => boolean;

  constructor(rule: (connection: Connection) => boolean) {
    this.#rule = rule;
  }

  isFor(connection: Connection): boolean {
    return !connection.ended && this.#rule(connection);
  }
}
