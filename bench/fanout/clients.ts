import { createInterface } from 'node:readline';
import { Counter, FrameClient } from './frames.ts';

/**
 * Connects clients: `clients.ts <count> <rooms> <ports, by comma>`, spread over rooms and gateways. Each line of input
 * (`reset` or `read`) is answered by a line.
 */
const [count = '', rooms = '', ports = ''] = process.argv.slice(2);
const gateways = ports.split(',').map(Number);
const counter = new Counter(61);
for (let n = 0; n < Number(count); n += 1) {
  const client = new FrameClient(gateways[n % gateways.length] as number, `r${n % Number(rooms)}`, counter);
  await client.ready;
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'reset') counter.reset();
  const { delivered, latency } = counter;
  console.log(JSON.stringify({ delivered, p50: latency.quantile(0.5), p99: latency.quantile(0.99) }));
}
