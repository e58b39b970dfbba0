import { createRequire } from 'node:module';
import { createAdapter } from '../../shared/fanout/adapter/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';

/** `ours`, with and without recovery, beside the two adapters for Redis; `plain` is Socket.IO alone. */
export const kinds = ['ours', 'ours+recovery', 'redis', 'redis-sharded'] as const;
export type Kind = (typeof kinds)[number];
export type MemoryKind = Kind | 'plain' | 'trigate';

const peers = createRequire(new URL('./peers/package.json', import.meta.url));

/** What a Socket.IO server is given beside its transports. */
export async function serverOptions(kind: Kind | 'plain', busPort: number): Promise<object> {
  if (kind === 'plain') return {};
  if (kind.startsWith('ours')) {
    const nats = await connectNats([`nats://127.0.0.1:${busPort}`], kind);
    const adapter = createAdapter(nats, { prefix: kind.replace('+', '-') });
    return { adapter, ...(kind === 'ours+recovery' && { connectionStateRecovery: {} }) };
  }
  const { createClient } = peers('redis');
  const publishing = createClient({ url: `redis://127.0.0.1:${busPort}` });
  const subscribing = publishing.duplicate();
  await Promise.all([publishing.connect(), subscribing.connect()]);
  const redis = peers('@socket.io/redis-adapter');
  if (kind === 'redis') return { adapter: redis.createAdapter(publishing, subscribing) };
  return { adapter: redis.createShardedAdapter(publishing, subscribing, { subscriptionMode: 'dynamic-private' }) };
}
