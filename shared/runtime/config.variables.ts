import { googleVariables } from './config.google.ts';
import { mediaVariables } from './config.media.ts';
import {
  anyText,
  encryptionKeys,
  host,
  integer,
  listOf,
  mongodbUrl,
  natsServer,
  oneOf,
  origin,
  port,
  prefix,
  type TextType,
  textOf,
  topic,
  url,
} from './config.types.ts';

export const roles = ['all', 'services', 'gateway:http', 'gateway:socketio', 'gateway:mqtt'] as const;
/** What a process is: everything at once, one or more services, or one gateway. */
export type Role = (typeof roles)[number];

export const distributed = ['services', 'gateway:http', 'gateway:socketio', 'gateway:mqtt'] as const;

export interface Variable {
  /** Its name in the configuration. */
  readonly key: string;
  readonly type: TextType<unknown>;
  readonly meaning: string;
  /** The value of an unset variable, in the spelling of the environment. */
  readonly default?: string;
  /** Instead of `default` where the role decides. */
  readonly defaultOf?: (role: Role) => string | undefined;
  /** The column of the table; by default `default`. */
  readonly shown?: string;
  /** Roles that do not start without it. */
  readonly required?: readonly Role[];
  /** Its value is never printed, and it may come from the file that `<NAME>_FILE` names. */
  readonly secret?: true;
  /** Another name it is read from. */
  readonly alias?: string;
}

const variable = <const V extends Variable>(value: V): V => value;
const perMinute = integer(0, 1_000_000_000, ' a minute');
const generated = 'generated into `DATA_DIR` in one process';

/** Every variable, in the order of the table. */
export const variables = {
  HTTP_PORT: variable({
    key: 'httpPort',
    type: port,
    default: '3000',
    meaning: 'HTTP gateway. In the one-process mode Socket.IO shares this port',
  }),
  SOCKETIO_PORT: variable({
    key: 'socketioPort',
    type: port,
    default: '3001',
    meaning: 'Socket.IO gateway when it runs alone',
  }),
  HOST: variable({
    key: 'host',
    type: host,
    default: '0.0.0.0',
    defaultOf: (role) => (role === 'all' ? '127.0.0.1' : '0.0.0.0'),
    shown: '127.0.0.1 in one process, 0.0.0.0 in the distributed roles',
    meaning: 'Listen address',
  }),
  MQTT_PORT: variable({
    key: 'mqttPort',
    type: port,
    default: '1883',
    meaning: 'Embedded MQTT broker (one-process mode only)',
  }),
  MQTT_WS_PORT: variable({
    key: 'mqttWsPort',
    type: port,
    shown: 'off',
    meaning: 'Embedded MQTT broker over WebSocket',
  }),
  MQTT_URL: variable({
    key: 'mqttUrl',
    type: url('mqtt', 'mqtts', 'ws', 'wss'),
    required: ['gateway:mqtt'],
    secret: true,
    meaning: 'External MQTT broker (Mosquitto, EMQX); set, no broker is embedded',
  }),
  MQTT_USERNAME: variable({
    key: 'mqttUsername',
    type: anyText,
    meaning: 'Of the gateway at the external broker; needs `MQTT_PASSWORD`',
  }),
  MQTT_PASSWORD: variable({
    key: 'mqttPassword',
    type: anyText,
    secret: true,
    meaning: 'Of the gateway at the external broker',
  }),
  EMQX_API_URL: variable({
    key: 'emqxApiUrl',
    type: url('http', 'https'),
    shown: 'off',
    meaning:
      'REST API of EMQX (`http://emqx:18083`), where the MQTT gateways end the sessions of revoked tokens; needs the two below',
  }),
  EMQX_API_KEY: variable({ key: 'emqxApiKey', type: anyText, meaning: 'API key of EMQX' }),
  EMQX_API_SECRET: variable({ key: 'emqxApiSecret', type: anyText, secret: true, meaning: 'Secret of that key' }),
  MQTT_BASE_TOPIC: variable({
    key: 'mqttBaseTopic',
    type: topic,
    default: 'nestmtx',
    meaning: 'Base of every topic',
  }),
  MQTT_ANONYMOUS: variable({
    key: 'mqttAnonymous',
    type: oneOf('events', 'requests', 'off'),
    default: 'events',
    meaning:
      'What a client without a password may do: hear camera and credentials events and ask with a token (`events`), ask with a token (`requests`), not connect (`off`)',
  }),
  MQTT_EVENT_TOPICS: variable({
    key: 'mqttEventTopics',
    type: oneOf('documented', 'plain', 'both'),
    default: 'both',
    meaning: 'Event topics with a leading slash (`documented`), without (`plain`), or both',
  }),
  NATS_URL: variable({
    key: 'natsUrl',
    type: listOf(natsServer),
    required: distributed,
    secret: true,
    meaning: 'Comma-separated NATS servers, over which services and gateways talk; not used in one process',
  }),
  NATS_PREFIX: variable({
    key: 'natsPrefix',
    type: prefix,
    default: 'trigate',
    meaning: 'Begins NATS subjects and stream names, so that installations can share servers',
  }),
  NATS_REPLICAS: variable({
    key: 'natsReplicas',
    type: integer(1, 5, ' servers'),
    default: '1',
    meaning: 'Copies of every stored event in a cluster of NATS servers; the same in every process',
  }),
  MONGODB_URL: variable({
    key: 'mongodbUrl',
    type: mongodbUrl,
    required: ['services'],
    secret: true,
    meaning: 'Set, services store in MongoDB; unset, in files under `DATA_DIR` (one process only)',
  }),
  DATA_DIR: variable({
    key: 'dataDir',
    type: anyText,
    default: './data',
    meaning: 'Directory of the file store and of generated secrets',
  }),
  JWT_SECRET: variable({
    key: 'jwtSecret',
    type: textOf(16, 4_096),
    secret: true,
    alias: 'IDAE_SOCKET_JWT_SECRET',
    shown: generated,
    meaning:
      'HS256 secret of tokens, 16 characters or more; it or `JWT_KEYS_FILE` is required in the distributed roles',
  }),
  JWT_KEYS_FILE: variable({
    key: 'jwtKeysFile',
    type: anyText,
    meaning:
      'File with a JWK set of private keys with `kid`s (RS256, ES256, EdDSA): the first signs, all verify, the public halves are at `/.well-known/jwks.json`',
  }),
  AUTH_STRATEGY: variable({
    key: 'authStrategy',
    type: oneOf('jwt', 'introspection', 'none'),
    default: 'jwt',
    alias: 'IDAE_SOCKET_AUTH_STRATEGY',
    meaning: 'How bearers are checked; `none` is for development and logs a warning',
  }),
  AUTH_INTROSPECTION_URL: variable({
    key: 'authIntrospectionUrl',
    type: url('http', 'https'),
    alias: 'IDAE_SOCKET_INTROSPECTION_URL',
    meaning:
      'Required by `AUTH_STRATEGY=introspection`: gets POST `{token}` and answers `{active, userId or sub, roles?, exp?}` within 2 s',
  }),
  AUTH_USERS: variable({
    key: 'authUsers',
    type: oneOf('local', 'external'),
    default: 'local',
    meaning:
      '`local`: the user of a token must exist, be allowed in and carry the current token version; `external`: a valid signature is enough',
  }),
  ADMIN_USERNAME: variable({
    key: 'adminUsername',
    type: textOf(3, 255),
    default: 'admin',
    meaning: 'First administrator, created when there is none',
  }),
  ADMIN_PASSWORD: variable({
    key: 'adminPassword',
    type: textOf(5, 255),
    secret: true,
    shown: 'generated and printed once',
    meaning: 'Password of the first administrator',
  }),
  API_KEY: variable({
    key: 'apiKey',
    type: textOf(8, 255),
    secret: true,
    shown: 'generated and printed once',
    meaning: 'First API key, created once, when there is none',
  }),
  ENCRYPTION_KEYS: variable({
    key: 'encryptionKeys',
    type: encryptionKeys,
    required: ['services'],
    secret: true,
    shown: generated,
    meaning: '`id:base64 of 32 bytes`, comma-separated, for secrets at rest; the first encrypts, all decrypt',
  }),
  METRICS_PORT: variable({
    key: 'metricsPort',
    type: port,
    defaultOf: (role) => (role === 'services' || role === 'gateway:mqtt' ? '9090' : undefined),
    shown: 'the HTTP or Socket.IO port where there is one, else 9090',
    meaning:
      '`/live`, `/ready` and `/metrics` of the process; where it is another port than that of clients, `/metrics` is only there',
  }),
  CORS_ORIGINS: variable({
    key: 'corsOrigins',
    type: listOf(origin),
    shown: 'same origin',
    meaning: 'Comma-separated origins allowed for HTTP, Socket.IO and MQTT over WebSocket',
  }),
  TRUST_PROXY: variable({
    key: 'trustProxy',
    type: integer(0, 32, ' proxies'),
    default: '0',
    meaning: 'Number of proxies whose `X-Forwarded-For` counts',
  }),
  PRESENCE_BROADCAST: variable({
    key: 'presenceBroadcast',
    type: oneOf('all', 'rooms', 'off'),
    default: 'all',
    meaning:
      'Who hears `user_online` and `user_offline`: everyone, those who share a room, nobody; the same in every process',
  }),
  SOCKETIO_ADMIN_UI: variable({
    key: 'socketioAdminUi',
    type: oneOf('on', 'off'),
    default: 'off',
    meaning:
      "Whether administrators reach the sockets of all gateways with Socket.IO's Admin UI, on the namespace `/admin`; the same in every Socket.IO gateway",
  }),
  SOCKETS_PER_USER: variable({
    key: 'socketsPerUser',
    type: integer(0, 1_000_000, ' connections'),
    default: '100',
    meaning: 'Socket.IO connections of one user over all gateways; 0 is no limit, as is `AUTH_STRATEGY=none`',
  }),
  RATE_LIMIT_CONNECTIONS: variable({
    key: 'rateLimitConnections',
    type: perMinute,
    default: '100',
    meaning: 'New connections per minute and address, on Socket.IO over all gateways; 0 is no limit',
  }),
  RATE_LIMIT_MESSAGES: variable({
    key: 'rateLimitMessages',
    type: perMinute,
    default: '1000',
    meaning: 'Messages per minute and connection; 0 is no limit',
  }),
  RATE_LIMIT_HTTP: variable({
    key: 'rateLimitHttp',
    type: perMinute,
    default: '100',
    meaning: 'HTTP requests per minute and API key, or user where there is no key, over all gateways; 0 is no limit',
  }),
  ...mediaVariables,
  STREAM_LIMIT_PER_USER: variable({
    key: 'streamLimitPerUser',
    type: integer(0, 1_000, ' streams'),
    default: '16',
    meaning: 'Streams a user may watch at a time, over all media servers; 0 is no limit',
  }),
  ...googleVariables,
  DRAIN_DELAY_MS: variable({
    key: 'drainDelayMs',
    type: integer(0, 20_000, ' milliseconds'),
    default: '2000',
    meaning: 'Milliseconds for which new work is still served after SIGTERM',
  }),
  LOG_LEVEL: variable({
    key: 'logLevel',
    type: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    meaning: 'Least level of lines that are logged',
  }),
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;
