import { expect, test } from '@jest/globals';
import type { Config } from '../../shared/runtime/config.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { startFleet } from './fleet.start.ts';

const start = (config: Partial<Config>) =>
  startFleet({
    config: { role: 'all', host: '127.0.0.1', httpPort: 3000, mediamtxApiUrl: ['http://m:9997'], ...config } as Config,
    log: silentLog,
    secret: 's',
    installation: 'i',
    wanted: async () => new Map(),
  });

test.each([
  ['127.0.0.1', 'http://127.0.0.1:3000'],
  ['192.168.1.5', 'http://192.168.1.5:3000'],
  ['::1', 'http://[::1]:3000'],
  ['0.0.0.0', 'http://127.0.0.1:3000'],
  ['::', 'http://127.0.0.1:3000'],
])('media servers call a gateway that listens at %s at %s', async (host, callback) => {
  const started = await start({ host });
  expect(started.callback).toBe(callback);
  await started.stop();
});

test('a port that nobody knows yet is refused where a media server would have to know it', async () => {
  await expect(start({ httpPort: 0 })).rejects.toThrow(/^HTTP_PORT: .*MEDIAMTX_CALLBACK_URL/);
  const started = await start({ httpPort: 0, mediamtxCallbackUrl: 'http://gateway:3000' });
  expect(started.callback).toBe('http://gateway:3000');
  await started.stop();
  await (await start({ httpPort: 0, role: 'services', mediamtxApiUrl: undefined })).stop();
});
