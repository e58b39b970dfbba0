import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { type Kind, serverOptions } from './adapters.ts';

/** A Socket.IO server: `gateway.ts <kind> <port of NATS or Redis> <port>`; `?room=` is the room of a client. */
const [kind = '', busPort = '', port = ''] = process.argv.slice(2);
const http = createServer((_request, response) => response.end());
const options = await serverOptions(kind as Kind | 'plain', Number(busPort));
const io = new Server(http, { transports: ['websocket'], serveClient: false, ...options });

io.on('connection', async (socket) => {
  await socket.join(String(socket.handshake.query.room));
  socket.emit('ready');
});

// By itself a signal would leave no profile.
process.once('SIGTERM', () => process.exit());
http.listen(Number(port), '127.0.0.1', () => console.log('ready'));
