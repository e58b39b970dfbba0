import { expect, test } from '@jest/globals';
import { silentLog } from '../../shared/runtime/log.ts';
import { Keeper } from './keeper.ts';

test('a look that is asked for while one runs comes after it, once', async () => {
  let looks = 0;
  const running: (() => void)[] = [];
  const keeper = new Keeper({
    fleet: { servers: [] },
    members: { id: 'm', live: () => ['m'] },
    viewerTokens: {
      forgetExpired() {
        looks += 1;
        return new Promise<void>((resolve) => running.push(resolve));
      },
    },
    log: silentLog,
  } as never);
  keeper.look();
  keeper.look();
  keeper.look();
  expect(looks).toBe(1);
  running.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(looks).toBe(2);
  const stopped = keeper.stop();
  running.shift()?.();
  await stopped;
  expect(looks).toBe(2);
});
