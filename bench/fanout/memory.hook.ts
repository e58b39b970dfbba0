import { setTimeout as delay } from 'node:timers/promises';

/** Preloaded with `--import` into a server whose memory is measured: any message is answered with the bytes it holds. */
process.on('message', async () => {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await delay(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ held: heapUsed + external, rss });
});
process.channel?.unref();
