import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { type Kind, serverOptions } from './adapters.ts';

/** A Socket.IO server: `gateway.ts <kind> <port of NATS or Redis> <port>`; `?room=` is the room of a client. */
const [kind = '', busPort = '', port = ''] = process.argv.slice(2);
const http = createServer();
const io = new Server(http, { transports: ['websocket'], ...(await serverOptions(kind as Kind, Number(busPort))) });

io.on('connection', async (socket) => {
  await socket.join(String(socket.handshake.query.room));
  socket.emit('ready');
});

http.listen(Number(port), '127.0.0.1', () => console.log('ready'));
