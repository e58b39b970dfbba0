import { randomUUID } from 'node:crypto';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { Person, Role } from '../../conformance/stage.ts';
import { Stage } from '../../conformance/stage.ts';
import { within } from '../../system/clients/wait.ts';
import type { System } from '../../system/system.ts';

// biome-ignore lint/suspicious/noExplicitAny: what an event carries is what the tests are about
export type Heard = any;

/** The people of a test and their connections, spread over the Socket.IO gateways of the system. */
export class Cast {
  readonly system: System;
  readonly stage: Stage;
  readonly #sockets: Socket[] = [];

  private constructor(system: System, stage: Stage) {
    this.system = system;
    this.stage = stage;
  }

  static async of(system: System): Promise<Cast> {
    return new Cast(system, await Stage.open('http', system));
  }

  get people(): Record<Role, Person> {
    return this.stage.people;
  }

  /** The next gateway, in turn. */
  get url(): string {
    const urls = this.system.socketioUrls;
    return urls[this.#sockets.length % urls.length] as string;
  }

  /** A connection that is only being made. */
  open(token: string, options: Partial<ManagerOptions & SocketOptions> = {}): Socket {
    const base = { forceNew: true, reconnection: false, transports: ['websocket'], auth: { token } };
    return this.owned(io(this.url, { ...base, ...options }));
  }

  /** A socket that the test made itself, to be closed with the others. */
  owned(socket: Socket): Socket {
    this.#sockets.push(socket);
    return socket;
  }

  /** A connected socket of somebody; `welcome` has been heard, so nothing of the connection is on its way any more. */
  async connect(person: Pick<Person, 'token'>, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<Socket> {
    const socket = this.open(person.token, options);
    await next(socket, 'system:welcome');
    return socket;
  }

  /** A connected socket that has registered. */
  async registered(person: Pick<Person, 'token' | 'id'>): Promise<Socket> {
    const socket = await this.connect(person);
    const ack = await socket.emitWithAck('register', { userId: person.id });
    if (ack.success !== true) throw new Error(JSON.stringify(ack));
    return socket;
  }

  room = (): string => `room-${randomUUID().slice(0, 8)}`;

  closeSockets(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }
}

/** What an event carries when it comes next. @throws Error where it does not come in time */
export const next = (socket: Socket, event: string, ms?: number): Promise<Heard> =>
  within(new Promise((resolve) => socket.once(event, resolve)), event, ms);

/** Everything an event carries from now on. */
export function collect(socket: Socket, event: string): Heard[] {
  const heard: Heard[] = [];
  socket.on(event, (data: unknown) => heard.push(data));
  return heard;
}

/** As a person is named in events. */
export const named = ({ id, username }: Person) => ({ id, username, email: null });

/** ISO 8601 in UTC. */
export const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
