import { randomUUID } from 'node:crypto';
import type { Google } from '../servers/google/google.ts';
import { httpClient } from '../system/clients/http.client.ts';
import { type Answer, type Ask, type Client, connectClient, type Protocol } from '../system/clients.ts';
import type { System } from '../system/system.ts';

/** Whoever asks: one of the people of the stage, nobody, or somebody with a token. */
export type Role = 'admin' | 'user' | 'stranger';
export type Asker = Role | 'nobody' | { readonly token: string };

export interface Person {
  id: string;
  username: string;
  password: string;
  token: string;
}

type Fields = Record<string, unknown>;
export type Stored = Fields & { id: string };

/** Begins every secret of the tests, so that any answer that holds one is found. */
export const secretMark = 's3cret-';
export const secret = (): string => `${secretMark}${randomUUID()}`;

/** Secrets, the keys under which the stores keep them, and places in the code. */
const forbidden = new RegExp(
  `${secretMark}|argon2|"(passwordHash|keyHash|tokenVersion|sealed\\w*|stack)":|\\.(ts|js):\\d+:\\d+`,
);

const codeOf = (answer: Answer): string => ('ok' in answer ? 'OK' : answer.error.code);

function resultOf<T>(ask: Ask, answer: Answer): T {
  if ('ok' in answer) return answer.ok as T;
  throw new Error(`${ask.module}.${ask.command}: ${JSON.stringify(answer.error)}`);
}

/** What one protocol's run of the table works with: clients, people, and names nobody else uses. */
export class Stage {
  readonly protocol: Protocol;
  readonly system: System;
  /** The stand-in for Google that the system asks, where it has one. */
  readonly google: Google | undefined;
  readonly people: Record<Role, Person>;
  readonly #client: Client;
  readonly #operator: Client;
  readonly #shared = new Map<string, Promise<unknown>>();
  #count = 0;
  readonly #tag = randomUUID().slice(0, 8);

  private constructor(protocol: Protocol, system: System, client: Client, operator: Client, google?: Google) {
    this.protocol = protocol;
    this.system = system;
    this.google = google;
    this.#client = client;
    this.#operator = operator;
    this.people = {} as Record<Role, Person>;
  }

  static async open(protocol: Protocol, system: System, google?: Google): Promise<Stage> {
    const url = { http: system.httpUrls, socketio: system.socketioUrls, mqtt: system.mqttUrls }[protocol].at(-1);
    if (!url) throw new Error(`this system has no ${protocol}`);
    const operator = httpClient(system.httpUrls[0] as string, system.apiKey);
    const stage = new Stage(protocol, system, connectClient(protocol, url), operator, google);
    stage.people.admin = await stage.person(['admin', 'user']);
    stage.people.user = await stage.person();
    stage.people.stranger = await stage.person();
    return stage;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** A name that no other case and no other protocol uses. */
  unique(word: string): string {
    this.#count += 1;
    return `${word}-${this.protocol}-${this.#tag}-${this.#count}`;
  }

  /** An mtx_path, likewise. */
  path = (): string => this.unique('path');

  tokenOf(asker: Asker): string | null {
    if (asker === 'nobody') return null;
    return typeof asker === 'string' ? this.people[asker].token : asker.token;
  }

  /** Sends a command over the stage's protocol. @throws Error where the answer holds a secret or a place in the code */
  async request(ask: Ask, asker: Asker): Promise<Answer> {
    const answer = await this.#client.request(ask, this.tokenOf(asker));
    const leak = forbidden.exec(JSON.stringify(answer));
    if (leak) throw new Error(`${ask.module}.${ask.command} answers with "${leak[0]}": ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The result of a command that must succeed. */
  async ok<T = Fields>(ask: Ask, asker: Asker = 'admin'): Promise<T> {
    return resultOf<T>(ask, await this.request(ask, asker));
  }

  /** The code of an error, or `OK`. */
  async code(ask: Ask, asker: Asker = 'admin'): Promise<string> {
    return codeOf(await this.request(ask, asker));
  }

  /** Made once for all cases that only look at it. */
  shared<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = this.#shared.get(name) ?? make();
    this.#shared.set(name, made);
    return made as Promise<T>;
  }

  /** As the first API key over HTTP: what a case needs beforehand, and what must work whoever was locked out. */
  async operator<T = Fields>(ask: Ask): Promise<T> {
    return resultOf<T>(ask, await this.#operator.request(ask, null));
  }

  async operatorCode(ask: Ask): Promise<string> {
    return codeOf(await this.#operator.request(ask, null));
  }

  create(module: string, payload: Fields): Promise<Stored> {
    return this.operator<Stored>({ module, command: 'create', payload });
  }

  /** A new user who is logged in. */
  async person(roles: readonly string[] = ['user']): Promise<Person> {
    const [username, password] = [this.unique('person'), secret()];
    const { id } = await this.create('users', { username, password, roles });
    return { id, username, password, token: await this.login(username, password) };
  }

  /** New tokens for the people of the stage, after their old ones may have ended. */
  async relogin(): Promise<void> {
    for (const person of Object.values(this.people)) person.token = await this.login(person.username, person.password);
  }

  /** A new token, over HTTP: Socket.IO lets nobody in without one. */
  async login(username: string, password: string): Promise<string> {
    const login = { module: 'auth', command: 'create', payload: { username, password } };
    return (await this.operator<{ bearer: string }>(login)).bearer;
  }

  camera(more: Fields = {}): Promise<Stored> {
    return this.create('cameras', { name: this.unique('camera'), source: 'rtsp://10.0.0.1/stream', ...more });
  }

  credentials(more: Fields = {}): Promise<Stored> {
    return this.create('credentials', {
      description: this.unique('credentials'),
      oauth_client_id: secret(),
      oauth_client_secret: secret(),
      ...more,
    });
  }

  /** A room made by `maker`. */
  async room(more: Fields = {}, maker: Asker = 'user'): Promise<Stored> {
    return this.ok<Stored>(
      { module: 'rooms', command: 'create', payload: { name: this.unique('room'), ...more } },
      maker,
    );
  }
}
