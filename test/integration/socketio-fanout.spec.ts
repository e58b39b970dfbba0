import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { socketioFanout } from '../../gateways/socketio/fanout.ts';
import type { Audience } from '../../shared/fanout/fanout.ts';
import { type NatsServer, startNats } from '../servers/nats.ts';
import { Heard, startCluster } from './adapter.cluster.ts';

let server: NatsServer;
beforeAll(async () => {
  server = await startNats();
});
afterAll(() => server.stop());

describe.each([false, true])('the fan-out of a gateway among several, with recovery %s', (recovery) => {
  test.each<[string, Audience]>([
    ['everyone', { kind: 'everyone' }],
    ['a user', { kind: 'user', id: 'ann' }],
  ])('sends what is larger than NATS takes to nobody of %s, and says so', async (_who, audience) => {
    const cluster = await startCluster(server.url, { server: recovery ? { connectionStateRecovery: {} } : {} });
    const warnings: object[] = [];
    const log = { warn: (fields: object) => void warnings.push(fields) };
    const fanouts = cluster.nodes.map(({ io }) => socketioFanout(io, log));
    try {
      const heard = await Promise.all(
        cluster.nodes.map(async (node) => {
          const { client, socket } = await node.client();
          await socket.join('user:ann');
          return new Heard(client, 'word');
        }),
      );
      const [fanout] = fanouts as [(typeof fanouts)[number]];
      const large = ['y'.repeat(1_048_576)];
      expect(() => fanout.send([audience], 'word', large)).toThrow(RangeError);
      await expect(fanout.deliver([audience], 'word', large)).rejects.toThrow(RangeError);
      fanout.emit([audience], 'word', large);
      expect(warnings).toEqual([expect.objectContaining({ event: 'word' })]);
      fanout.send([audience], 'word', ['after']);
      for (const one of heard) expect(await one.times(1)).toEqual(['after']);
    } finally {
      await Promise.all(fanouts.map((fanout) => fanout.close()));
      await cluster.close();
    }
  });
});
