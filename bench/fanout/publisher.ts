import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { type Kind, serverOptions } from './adapters.ts';

/**
 * Emits to rooms: `publisher.ts <kind> <port of NATS or Redis>`. Each line of input is one run:
 * `{rooms, rate, ms, bytes}`; a line of output tells how many were sent.
 */
const [kind = '', busPort = ''] = process.argv.slice(2);
const io = new Server(await serverOptions(kind as Kind, Number(busPort)));
const micros = () => Number(process.hrtime.bigint() / 1_000n);

interface Run {
  rooms: number;
  rate: number;
  ms: number;
  bytes: number;
}

async function run({ rooms, rate, ms, bytes }: Run): Promise<number> {
  const text = 'y'.repeat(bytes);
  const began = performance.now();
  let sent = 0;
  for (let passed = 0; passed < ms; passed = performance.now() - began) {
    // What a late tick owes is sent, but never more than 20 ms' worth at once.
    const due = Math.min(Math.floor((passed * rate) / 1_000), sent + Math.ceil(rate / 50));
    for (; sent < due; sent += 1) io.to(`r${sent % rooms}`).emit('m', micros(), text);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return sent;
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ sent: await run(JSON.parse(line) as Run) }));
}
