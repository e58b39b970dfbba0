import { setTimeout as delay } from 'node:timers/promises';
import autocannon from 'autocannon';
import type { LoadOptions, LoadResult } from './load.types.ts';
import { Measure } from './measure.ts';

const listPath = '/api/cameras?page=1&itemsPerPage=10';

/**
 * autocannon, with one request under way per connection and latencies finer than its own whole milliseconds. Answers
 * are read, as clients do and as those of Socket.IO cannot help but do.
 */
export async function loadHttp(options: LoadOptions): Promise<LoadResult> {
  const { url, token, ids, operation, inFlight } = options;
  const paths = operation === 'read' ? ids.map((id) => `/api/cameras/${id}`) : [listPath];
  let measure = new Measure(options);
  const read = (status: number, body: string) => {
    if (status !== 200 || (JSON.parse(body) as { success?: boolean }).success === false) measure.failures += 1;
  };
  const ended = Promise.withResolvers<void>();
  const run = autocannon(
    {
      url,
      connections: inFlight,
      // The delays below end it.
      duration: 600,
      headers: { authorization: `Bearer ${token}` },
      requests: paths.map((path) => ({ path, onResponse: read })),
    },
    (error) => (error ? ended.reject(error) : ended.resolve()),
  );
  run.on('response', (_client: unknown, _status: number, _bytes: number, milliseconds: number) =>
    measure.answered(milliseconds),
  );
  run.on('reqError', () => {
    measure.failures += 1;
  });
  await delay(options.warmupMs);
  measure = new Measure(options);
  await delay(options.durationMs);
  const result = measure.result();
  run.stop();
  await ended.promise;
  return result;
}
