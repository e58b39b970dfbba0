import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { AedesOptions, AuthenticateError, Client, ConnectPacket } from 'aedes';
import { Failure } from '../../../shared/contracts/index.ts';
import { Slots } from '../../../shared/mailbox/slots.ts';
import type { Log } from '../../../shared/runtime/log.ts';
import type { Principal } from '../../../shared/runtime/principal.ts';
import type { Authenticator } from '../../core/dispatch.types.ts';
import type { Limit } from '../../core/limits.ts';
import { type MqttRules, mayPublish, maySubscribe } from '../../core/mqtt-acl.rules.ts';
import type { QoS } from '../broker.ts';
import { Addressed } from './addressed.ts';
import { Login } from './login.ts';
import type { Connection } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface HookDeps {
  readonly authenticator: Authenticator;
  readonly rules: MqttRules;
  readonly sessions: Sessions;
  readonly connections: WeakMap<Client, Connection>;
  readonly log: Log;
  /** Connections per address. */
  readonly limit?: Limit;
  addressOf(client: Client): string;
  draining(): boolean;
  /** Whose tokens ended since; call `stop` when it is no longer looked at. */
  watchRevoked(): { has(principal: Principal): boolean; stop(): void };
  connected(connection: Connection): void;
}

type Hooks = Required<
  Pick<AedesOptions, 'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>
>;

/** CONNACK return codes (MQTT 3.1.1, 3.2.2.3). */
const refused = { identifier: 2, unavailable: 3, badLogin: 4, notAuthorized: 5 } as const;
const maxClientId = 256;
const requestsAtATime = 64;
const leavingMs = 1_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const control = /[\u0000-\u001f\u007f-\u009f]/;

class Refused extends Error {
  readonly returnCode: number;
  constructor(code: keyof typeof refused, message: string) {
    super(message);
    this.returnCode = refused[code];
  }
}

/** Aedes drops a message whose number is lower than one it delivered before; ours reach a client once and in any order. */
const noDuplicates = new Proxy(Object.create(null), { set: () => true });

export function hooks(deps: HookDeps): Hooks {
  const connects = new WeakMap<Client, ConnectPacket>();
  return {
    preConnect(client, packet, done) {
      // Whoever presents nothing cannot show later that a session is theirs: none is kept.
      if (!packet.password?.length) packet.clean = true;
      connects.set(client, packet);
      done(null, true);
    },
    authenticate(client, _username, password, done) {
      const packet = connects.get(client);
      logIn(client, password, packet, deps).then(
        (connection) => {
          if (connection) deps.connected(connection);
          done(null, true);
        },
        (error: Error) => {
          deps.log.info({ address: deps.addressOf(client), reason: error.message }, 'MQTT connection refused');
          done(error as AuthenticateError, false);
        },
      );
    },
    authorizePublish(client, packet, done) {
      const connection = client && deps.connections.get(client);
      const may = connection && !connection.ended && mayPublish(connection.principal, packet.topic, deps.rules);
      done(may && !packet.retain ? null : new Error('not allowed to publish this'));
    },
    authorizeSubscribe(client, subscription, done) {
      const connection = deps.connections.get(client);
      const { topic, qos } = subscription;
      const may = connection && !connection.ended && maySubscribe(connection.principal, topic, deps.rules);
      done(null, may && connection.session.subscribe(topic, qos as QoS) ? subscription : null);
    },
    authorizeForward(client, packet) {
      const connection = deps.connections.get(client);
      const { properties } = packet as { properties?: unknown };
      return connection && properties instanceof Addressed && properties.isFor(connection) ? packet : null;
    },
  };
}

/** @throws Refused; undefined where the client left while it was asked about */
async function logIn(
  client: Client,
  password: Readonly<Buffer | undefined>,
  packet: ConnectPacket | undefined,
  deps: HookDeps,
): Promise<Connection | undefined> {
  if (!packet || deps.draining()) throw new Refused('unavailable', 'the broker ends');
  assertClientId(packet);
  await deps.limit?.take(deps.addressOf(client)).catch(() => {
    throw new Refused('unavailable', 'too many connections');
  });
  for (const isLast of [false, true]) {
    const token = password?.length ? password.toString() : undefined;
    const principal = token === undefined ? deps.authenticator.nobody() : await bearer(token, deps);
    assertAllowed(principal, packet, deps.rules);
    if (client.closed || client.conn.destroyed) return undefined;
    const connection = claim(client, new Login(principal, token), ownerOf(principal, token), deps);
    if (connection) return connection;
    if (!isLast) await leaving(client.id, deps.sessions);
  }
  throw new Refused('identifier', 'the client id is in use by somebody else');
}

function assertAllowed(principal: Principal, { will }: ConnectPacket, rules: MqttRules): void {
  if (principal.kind === 'anonymous' && rules.anonymous === 'off') {
    throw new Refused('notAuthorized', 'a bearer is needed as password');
  }
  if (will && (will.retain || !mayPublish(principal, will.topic, rules))) {
    throw new Refused('notAuthorized', 'the will may not be published');
  }
}

/** Whoever has the client id may just be leaving, with its end not seen yet. */
async function leaving(clientId: string, sessions: Sessions): Promise<void> {
  const ends = [...(sessions.get(clientId)?.connections ?? [])].map(({ gone }) => gone);
  await Promise.race([Promise.all(ends), delay(leavingMs, undefined, { ref: false })]);
}

function assertClientId({ clientId, clean }: ConnectPacket): void {
  // MQTT 3.1.1, 3.1.3.1: a client without an id has no session to come back to.
  if (clientId.length === 0 && !clean) throw new Refused('identifier', 'a session needs a client id');
  if (clientId.length > maxClientId || control.test(clientId)) throw new Refused('identifier', 'not a client id');
}

async function bearer(token: string, { authenticator, watchRevoked }: HookDeps): Promise<Principal> {
  const revoked = watchRevoked();
  try {
    const principal = await authenticator.bearer(token);
    if (revoked.has(principal)) throw new Failure('UNAUTHORIZED');
    return principal;
  } catch (error) {
    if (error instanceof Failure && error.type === 'UNAUTHORIZED') throw new Refused('badLogin', 'bad bearer');
    throw new Refused('unavailable', 'the bearer could not be checked');
  } finally {
    revoked.stop();
  }
}

/** A client that presents nothing is nobody's: no other connection is the same owner. */
const ownerOf = ({ kind, id }: Principal, token: string | undefined): string =>
  token !== undefined ? `${kind}:${id}` : `nobody:${randomUUID()}`;

function claim(client: Client, login: Login, owner: string, deps: HookDeps): Connection | undefined {
  const session = deps.sessions.claim(client.id, owner, !client.clean, login);
  if (!session) return undefined;
  const connection: Connection = {
    id: client.id,
    login,
    get principal() {
      return login.principal;
    },
    client,
    session,
    slots: new Slots(requestsAtATime),
    gone: new Promise((resolve) => client.conn.once('close', () => resolve())),
    ended: false,
  };
  session.connected(connection);
  deps.connections.set(client, connection);
  (client as unknown as { duplicates: object }).duplicates = noDuplicates;
  return connection;
}
