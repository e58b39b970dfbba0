import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { Socket } from 'socket.io-client';
import { Cast } from '../integration/seeds/cast.ts';
import { httpRequest } from '../system/clients/http.client.ts';
import { eventually, within } from '../system/clients/wait.ts';
import { type Distributed, startDistributed } from '../system/distributed.ts';
import type { ProductProcess } from '../system/process.ts';
import { Wanderer } from './recovery.client.ts';

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const until = (is: () => boolean, ms: number) => eventually(async () => is(), Boolean, ms);
const pick = <T>(some: readonly T[]): T => some[Math.floor(Math.random() * some.length)] as T;

/** Until some gateway has it again, as a client library would try. */
export async function comeBack(client: Wanderer, urls: readonly string[]): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    try {
      return await client.connect(pick(urls), 5_000);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** Three gateways of the product, clients in a room, and numbers for them through the push API. */
export class GatewayStage {
  system!: Distributed;
  cast!: Cast;
  room = '';
  clients: Wanderer[] = [];
  /** Numbers of `numbers` that were answered, of the test that is on. */
  pushed = 0;
  readonly #gone: ProductProcess[] = [];
  #stopNumbers: () => Promise<number[]> = async () => [];

  /** Started for the tests of a file, and cleared after each. */
  static use(): GatewayStage {
    const stage = new GatewayStage();
    beforeAll(async () => {
      stage.system = await startDistributed({}, { http: 1, socketio: 3, mqtt: 0 });
      stage.cast = await Cast.of(stage.system);
    }, 60_000);
    afterEach(() => stage.#clear(), 60_000);
    afterAll(() => stage.system?.stop(), 30_000);
    return stage;
  }

  get urls(): [string, string, string] {
    return this.system.socketioUrls as unknown as [string, string, string];
  }

  /** One that the test is about to end; it is started again after the test. */
  gateway(name: string): ProductProcess {
    const one = this.system.processes[name] as ProductProcess;
    this.#gone.push(one);
    return one;
  }

  /** Until it may: after NATS was away a gateway first has to find the services again. */
  join = (socket: Pick<Socket, 'emitWithAck'>) =>
    eventually(
      () => within(socket.emitWithAck('join_room', { room: this.room }), 'join_room') as Promise<{ code?: string }>,
      ({ code }) => code === undefined,
      10_000,
    );

  /** Clients of one user, in one room, on all gateways. */
  async gather(count: number): Promise<void> {
    this.room = this.cast.room();
    const options = { auth: { token: this.cast.people.user.token }, settle: this.join };
    this.clients = Array.from({ length: count }, () => new Wanderer(options));
    await Promise.all(this.clients.map((client, index) => comeBack(client, [this.urls[index % 3] as string])));
  }

  total(what: (client: Wanderer) => number): number {
    return this.clients.reduce((all, client) => all + what(client), 0);
  }

  /** Each number in another of the ways in which it reaches every client. */
  async push(n: number): Promise<void> {
    const { cast, room, system } = this;
    const ways = [
      ['/api/broadcast', { event: 'n', data: n }],
      ['/api/room', { room, event: 'n', data: n }],
      ['/api/push', { userId: cast.people.user.id, event: 'n', data: n }],
      ['/n', { payload: n, rooms: [room] }],
    ] as const;
    const [path, json] = ways[n % ways.length] as (typeof ways)[number];
    const headers = { 'x-api-key': system.apiKey };
    const post = () => httpRequest(system.httpUrls[0] + path, { method: 'POST', headers, json });
    // Refused before anything went out, where the gateway has yet to find the services again.
    const { status, body } = await eventually(post, (reply) => reply.status !== 503, 10_000);
    if (status >= 300) throw new Error(`${path} answered ${status} ${JSON.stringify(body)}`);
  }

  /** One number after the other, until the function that it returns is called, which tells them all. */
  async numbers(): Promise<() => Promise<number[]>> {
    let count = 0;
    let stopped = false;
    const running = (async () => {
      for (; !stopped; this.pushed = count) await this.push(count++);
    })();
    this.#stopNumbers = async () => {
      stopped = true;
      await running;
      return Array.from({ length: count }, (_, n) => n);
    };
    await until(() => this.clients.every(({ life }) => life && life.numbers.length > 0), 10_000);
    return this.#stopNumbers;
  }

  heardLast(last: number, ms = 10_000): Promise<unknown> {
    return until(() => this.clients.every(({ life }) => life?.numbers.at(-1) === last), ms);
  }

  async #clear(): Promise<void> {
    for (const client of this.clients.splice(0)) client.close();
    await this.#stopNumbers();
    this.cast.closeSockets();
    await Promise.all(this.#gone.splice(0).map((one) => one.restart()));
  }
}
