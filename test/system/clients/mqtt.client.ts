import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { Client } from '../clients.ts';
import { readAnswer } from './socketio.client.ts';
import { within } from './wait.ts';

export const baseTopic = 'nestmtx';

/** A connection, by default without a login. Small packets are sent at once: Nagle's pause is 40 ms for each. */
export async function openMqtt(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const connecting = connectAsync(url, { reconnectPeriod: 0, connectTimeout: 5_000, ...options });
  const client = await within(connecting, 'an MQTT connection');
  (client.stream as Socket).setNoDelay(true);
  return client;
}

/** One connection without a login; the token is in each payload. */
export function mqttClient(url: string): Client {
  const waiting = new Map<string, (payload: string) => void>();
  let connection: Promise<MqttClient> | undefined;

  async function connect(): Promise<MqttClient> {
    const client = await openMqtt(url);
    client.on('message', (topic, payload) => waiting.get(topic)?.(payload.toString()));
    return client;
  }

  return {
    protocol: 'mqtt',
    async request(ask, as) {
      connection ??= connect();
      const client = await connection;
      const requestId = randomUUID();
      const topic = `${baseTopic}/responses/${requestId}`;
      const answered = new Promise<string>((resolve) => waiting.set(topic, resolve));
      const [granted] = await client.subscribeAsync(topic, { qos: 1 });
      if (granted?.qos !== 1) throw new Error(`the own answer could not be subscribed: ${granted?.qos}`);
      const request = { ...ask, requestId, ...(as !== null && { token: as }) };
      await client.publishAsync(`${baseTopic}/requests`, JSON.stringify(request), { qos: 1 });
      try {
        const text = await within(answered, `${ask.module}.${ask.command}`);
        return readAnswer(text === '' ? null : JSON.parse(text), requestId);
      } finally {
        waiting.delete(topic);
        await client.unsubscribeAsync(topic);
      }
    },
    async close() {
      await (await connection)?.endAsync(true);
    },
  };
}
