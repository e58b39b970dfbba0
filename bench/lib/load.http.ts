import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import type { LoadOptions, LoadResult } from './load.types.ts';
import { Measure } from './measure.ts';

const listPath = '/api/cameras?page=1&itemsPerPage=10';

/** autocannon, with one request under way per connection and latencies finer than its own whole milliseconds. */
export async function loadHttp(options: LoadOptions): Promise<LoadResult> {
  const { url, token, ids, operation, inFlight, pids } = options;
  const paths = operation === 'read' ? ids.map((id) => `/api/cameras/${id}`) : [listPath];
  let measure = new Measure(pids);
  const ended = Promise.withResolvers<void>();
  const run = autocannon(
    {
      url,
      connections: inFlight,
      // The delays below end it.
      duration: 600,
      headers: { authorization: `Bearer ${token}` },
      requests: paths.map((path) => ({ path })),
    },
    (error) => (error ? ended.reject(error) : ended.resolve()),
  );
  run.on('response', (_client: unknown, status: number, _bytes: number, milliseconds: number) => {
    measure.answered(milliseconds);
    if (status !== 200) measure.failures += 1;
  });
  run.on('reqError', () => {
    measure.failures += 1;
  });
  await delay(options.warmupMs);
  measure = new Measure(pids);
  await delay(options.durationMs);
  const result = measure.result();
  run.stop();
  await ended.promise;
  return result;
}
