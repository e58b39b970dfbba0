import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { keepPace, micros, type Run } from './pace.ts';

/**
 * What the operating system and Node.js take for the writes alone: `writes.ts <port>` lets the clients of this bench
 * in and writes ready frames to them in turn. No Socket.IO, no adapter, no bus: no gateway can be below it. Lines of
 * input and output are those of publisher.ts.
 */
const [port = ''] = process.argv.slice(2);
const stampEvery = 10;
const sockets: Socket[] = [];
const http = createServer((_request, response) => response.end());

function frame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? Buffer.from([0x81, length]) : Buffer.from([0x81, 126, length >> 8, length & 0xff]);
  return Buffer.concat([head, Buffer.from(text)]);
}

http.on('upgrade', (_request, socket: Socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  socket.write(frame('42["ready"]'));
  sockets.push(socket);
});

async function run(asked: Run): Promise<number> {
  const stamp = String(micros());
  const made = frame(`42["m",${stamp},"${'y'.repeat(asked.bytes)}"]`);
  const stampAt = made.indexOf(stamp);
  return keepPace(asked, (nth) => {
    // The time of a few is enough for the latency.
    if (nth % stampEvery === 0) made.write(String(micros()), stampAt, 'latin1');
    sockets[nth % sockets.length]?.write(made);
  });
}

process.once('SIGTERM', () => process.exit());
http.listen(Number(port), '127.0.0.1', () => console.log('ready'));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ sent: await run(JSON.parse(line) as Run) }));
}
