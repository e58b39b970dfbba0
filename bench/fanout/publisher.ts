import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { type Kind, serverOptions } from './adapters.ts';
import { keepPace, micros, type Run } from './pace.ts';

/**
 * Emits to rooms: `publisher.ts <kind> <port of NATS or Redis>`. Each line of input is one run:
 * `{rooms, rate, ms, bytes}`; a line of output tells how many were sent.
 */
const [kind = '', busPort = ''] = process.argv.slice(2);
const io = new Server(await serverOptions(kind as Kind, Number(busPort)));

async function run(asked: Run): Promise<number> {
  const text = 'y'.repeat(asked.bytes);
  return keepPace(asked, (nth) => io.to(`r${nth % asked.rooms}`).emit('m', micros(), text));
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ sent: await run(JSON.parse(line) as Run) }));
}
