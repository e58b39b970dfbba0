import type { Server, Socket } from 'socket.io';
import { clientAddress } from '../../core/address.ts';

/** A socket as the Admin UI shows it. No token, cookie or message is in it. */
export interface ShownSocket {
  id: string;
  clientId: string;
  transport: string;
  nsp: string;
  data: { user?: string; registered?: boolean };
  handshake: {
    address: string;
    headers: Record<string, string | undefined>;
    query: Record<string, unknown>;
    issued: number;
    secure: boolean;
    time: string;
    url: string;
    xdomain: boolean;
  };
  rooms: string[];
}

const maxRoomsShown = 100;
/** NATS takes 1 MB, and so does a connection whose client is behind. */
const maxBytes = 700_000;

export function shownSocket(socket: Socket, trustedProxies: number): ShownSocket {
  const { id, nsp, handshake, data, client, conn } = socket;
  const { host, origin, 'user-agent': agent } = handshake.headers;
  const { EIO, transport } = handshake.query;
  return {
    id,
    clientId: (client as unknown as { id: string }).id.slice(0, 12),
    transport: conn.transport.name,
    nsp: nsp.name,
    data: {
      ...(data.owner !== undefined && { user: data.owner }),
      ...(data.registered && { registered: true }),
    },
    handshake: {
      address: clientAddress(socket.request, trustedProxies),
      headers: { host, origin, 'user-agent': agent },
      query: { EIO, transport },
      issued: handshake.issued,
      secure: handshake.secure,
      time: handshake.time,
      url: '/socket.io/',
      xdomain: handshake.xdomain,
    },
    rooms: [...socket.rooms].slice(0, maxRoomsShown),
  };
}

/** As many as fit into one message. */
export function fitting(sockets: Iterable<ShownSocket>): ShownSocket[] {
  const shown: ShownSocket[] = [];
  let bytes = 0;
  for (const socket of sockets) {
    bytes += Buffer.byteLength(JSON.stringify(socket));
    if (bytes > maxBytes) break;
    shown.push(socket);
  }
  return shown;
}

/** The sockets of this gateway. */
export function* socketsHere(
  io: Server,
  namespaces: readonly string[],
  trustedProxies: number,
): Generator<ShownSocket> {
  for (const name of namespaces) {
    for (const socket of io.of(name).sockets.values()) yield shownSocket(socket, trustedProxies);
  }
}
