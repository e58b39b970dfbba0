import mqtt, { type MqttClient } from 'mqtt';
import { loadSlots } from './load.slots.ts';
import type { LoadOptions, LoadResult } from './load.types.ts';

const base = 'nestmtx';
const listPayload = { page: 1, itemsPerPage: 10 };

/**
 * Publishes on requests with QoS 0 and waits for the answer on the topic of the requestId. A slot uses its requestId
 * again for every request, so its topic is subscribed once.
 */
export async function loadMqtt(options: LoadOptions): Promise<LoadResult> {
  const { connections, inFlight, operation, tokenInPayload, token } = options;
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(options)));
  const waiting = new Map<string, (answered: boolean) => void>();
  for (const client of clients) {
    client.on('message', (topic, payload) => {
      const resolve = waiting.get(topic);
      waiting.delete(topic);
      resolve?.((JSON.parse(payload.toString()) as { error?: unknown }).error === undefined);
    });
  }
  const topicOf = (slot: number) => `${base}/responses/slot-${slot}`;
  for (let slot = 0; slot < inFlight; slot += 1) {
    await (clients[slot % connections] as MqttClient).subscribeAsync(topicOf(slot), { qos: 0 });
  }
  const result = await loadSlots(options, (slot, entity) => {
    const asked = operation === 'read' ? { entity } : { payload: listPayload };
    const request = { command: operation, module: 'cameras', requestId: `slot-${slot}`, ...asked };
    const text = JSON.stringify(tokenInPayload ? { ...request, token } : request);
    return new Promise((resolve) => {
      waiting.set(topicOf(slot), resolve);
      (clients[slot % connections] as MqttClient).publish(`${base}/requests`, text, { qos: 0 });
    });
  });
  await Promise.all(clients.map((client) => client.endAsync(true)));
  return result;
}

function connect({ url, token, tokenInPayload }: LoadOptions): Promise<MqttClient> {
  const credentials = tokenInPayload ? {} : { username: 'bench', password: token };
  return mqtt.connectAsync(url, { ...credentials, reconnectPeriod: 0 });
}
