import type { ServiceSchema } from 'moleculer';
import { Failure } from '../../shared/contracts/index.ts';
import { pushContract } from '../../shared/contracts/push.contract.ts';
import type { Audience, Fanout } from '../../shared/fanout/fanout.ts';
import { implement } from '../../shared/runtime/implement.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { assertEventName, bridgeAudiences, dated } from './push.rules.ts';

/** The push API and the bridge: this gateway answers them itself, as the sockets are anywhere in the cluster. */
export function pushService(fanout: Fanout, log: Log): ServiceSchema[] {
  const reach = async (audiences: Audience[], event: string, data: unknown) => {
    const { recipients } = await fanout.deliver(audiences, event, [data]).catch((error) => {
      throw error instanceof RangeError ? new Failure('PAYLOAD_TOO_LARGE') : error;
    });
    return { success: true as const, recipients, timestamp: new Date().toISOString() };
  };
  const push = (audience: Audience, event: string, data: unknown) =>
    reach([audience], event, dated(event, data, new Date().toISOString()));

  const handlers: Parameters<typeof implement<typeof pushContract>>[1] = {
    push: {
      async user({ payload: { userId, event, data } }) {
        const { success, recipients, timestamp } = await push({ kind: 'user', id: String(userId) }, event, data);
        return { success, delivered: recipients > 0, timestamp };
      },
      broadcast: ({ payload: { event, data } }) => push({ kind: 'everyone' }, event, data),
      room: ({ payload: { room, event, data } }) => push({ kind: 'room', name: room }, event, data),
      async status() {
        const { connections, rooms } = await fanout.status();
        const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
        return {
          success: true,
          status: 'ok',
          connections,
          rooms,
          uptime: Math.floor(process.uptime()),
          memory: { rss, heapTotal, heapUsed, external },
          timestamp: new Date().toISOString(),
        };
      },
      async event({ entity, payload: { payload, rooms } }) {
        assertEventName(entity);
        return reach(bridgeAudiences(payload, rooms), entity, payload);
      },
    },
  };
  return implement(pushContract, handlers, log);
}
