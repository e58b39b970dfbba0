import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { createAdapter } from '../../shared/fanout/adapter/index.ts';
import { connectNats } from '../../shared/fanout/nats.connection.ts';

/** A Socket.IO server of its own process, for tests that kill it: `recovery.server.ts <nats url> <port> <prefix>`. */
const [natsUrl = '', port = '', prefix = ''] = process.argv.slice(2);
const nats = await connectNats([natsUrl], 'server');
const http = createServer();
const log = { warn: (fields: object, message: string) => console.log('warning', message, JSON.stringify(fields)) };
const io = new Server(http, {
  adapter: createAdapter(nats, { prefix, log }),
  connectionStateRecovery: { skipMiddlewares: false },
});

io.on('connection', (socket) => {
  if (!socket.recovered) socket.join(['room', 'other']);
  socket.on('join', async (room: string, done: () => void) => {
    await socket.join(room);
    done();
  });
});

http.listen(Number(port), '127.0.0.1', () => console.log('ready'));
