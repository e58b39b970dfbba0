import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type Config, ConfigError, configTable, loadConfig, type Role } from './config.ts';
import { variables } from './config.variables.ts';

const directory = mkdtempSync(join(tmpdir(), 'trigate-config-'));
afterAll(() => rmSync(directory, { recursive: true }));

const secret = 'a secret nobody may ever read';
const key = Buffer.alloc(32, 7).toString('base64');
const services = {
  NATS_URL: 'nats://a:4222',
  MONGODB_URL: 'mongodb://m/trigate',
  JWT_SECRET: secret,
  ENCRYPTION_KEYS: `k1:${key}`,
};

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function refusal(role: Role, env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(role, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

test('one process needs no variable at all', () => {
  expect(loadConfig('all', {})).toEqual({
    role: 'all',
    httpPort: 3000,
    socketioPort: 3001,
    host: '127.0.0.1',
    mqttPort: 1883,
    mqttBaseTopic: 'nestmtx',
    mqttAnonymous: 'events',
    mqttEventTopics: 'both',
    natsPrefix: 'trigate',
    natsReplicas: 1,
    dataDir: './data',
    authStrategy: 'jwt',
    authUsers: 'local',
    adminUsername: 'admin',
    corsOrigins: [],
    trustProxy: 0,
    presenceBroadcast: 'all',
    socketioAdminUi: 'off',
    socketsPerUser: 100,
    rateLimitConnections: 100,
    rateLimitMessages: 1000,
    rateLimitHttp: 100,
    streamLimitPerUser: 16,
    mediamtxRtspPort: 8554,
    mediamtxRtpPort: 8000,
    mediamtxRtmpPort: 1935,
    mediamtxHlsPort: 8888,
    mediamtxWebrtcPort: 8889,
    mediamtxWebrtcUdpPort: 8189,
    mediamtxSrtPort: 8890,
    drainDelayMs: 2000,
    logLevel: 'info',
    googleSdmUrl: 'https://smartdevicemanagement.googleapis.com/v1',
    googleConsentUrl: 'https://nestservices.google.com/partnerconnections',
    googleTokenUrl: 'https://oauth2.googleapis.com/token',
    googlePubsubUrl: 'https://pubsub.googleapis.com/v1',
    googleQuotaFactor: 1,
  });
});

test('texts become numbers, lists and keys', () => {
  const config: Config = loadConfig('services', {
    ...services,
    NATS_URL: 'nats://a:4222, tls://user:pw@b:4222,c',
    ENCRYPTION_KEYS: `new:${key},old:${Buffer.alloc(32, 255).toString('base64').slice(0, 43)}`,
    CORS_ORIGINS: 'HTTPS://App.example.org:443,capacitor://localhost,*',
    MEDIAMTX_API_URL: 'http://u:p@m1:9997,https://m2',
    MEDIAMTX_PUBLIC_HOSTS: 'media1.example.org, 10.0.0.2',
    HTTP_PORT: '0',
  });
  expect(config.natsUrl).toEqual(['nats://a:4222', 'tls://user:pw@b:4222', 'c']);
  expect(config.encryptionKeys).toEqual([
    { id: 'new', key: Buffer.alloc(32, 7) },
    { id: 'old', key: Buffer.alloc(32, 255) },
  ]);
  expect(config.corsOrigins).toEqual(['https://app.example.org', 'capacitor://localhost', '*']);
  expect(config.mediamtxApiUrl).toEqual(['http://u:p@m1:9997', 'https://m2']);
  expect(config.mediamtxPublicHosts).toEqual(['media1.example.org', '10.0.0.2']);
  expect(config.httpPort).toBe(0);
});

test('a configuration and its lists cannot be changed', () => {
  const config = loadConfig('all', { CORS_ORIGINS: 'https://a' });
  expect(() => Object.assign(config, { httpPort: 1 })).toThrow(TypeError);
  expect(() => config.corsOrigins.push('https://b')).toThrow(TypeError);
});

test('host and metrics port follow the role', () => {
  expect(loadConfig('services', services)).toMatchObject({ host: '0.0.0.0', metricsPort: 9090 });
  expect(loadConfig('gateway:http', services).metricsPort).toBeUndefined();
  expect(loadConfig('services', { ...services, HOST: '::1', METRICS_PORT: '0' })).toMatchObject({
    host: '::1',
    metricsPort: 0,
  });
});

test('an empty variable counts as unset', () => {
  expect(loadConfig('all', { HTTP_PORT: '', MQTT_WS_PORT: '', JWT_SECRET: '' })).toEqual(loadConfig('all', {}));
});

test('one process takes no part in NATS', () => {
  expect(loadConfig('all', { NATS_URL: 'nats://a' }).natsUrl).toBeUndefined();
});

describe('a bad value is refused in one line that names the variable', () => {
  const bad: [string, string, string][] = [
    ['HTTP_PORT', '65536', 'a whole number from 0 to 65535'],
    ['HTTP_PORT', '80a', 'a whole number'],
    ['HTTP_PORT', '-1', 'a whole number'],
    ['HTTP_PORT', '1e3', 'a whole number'],
    ['HOST', 'a host', 'a host name'],
    ['MQTT_URL', 'http://broker', 'mqtt://'],
    ['MQTT_BASE_TOPIC', '/nestmtx', 'a topic'],
    ['MQTT_BASE_TOPIC', 'nest/+/mtx', 'a topic'],
    ['MQTT_BASE_TOPIC', 'a'.repeat(129), 'a topic'],
    ['MQTT_ANONYMOUS', 'yes', 'events, requests, off'],
    ['NATS_PREFIX', 'tri.gate', 'letters'],
    ['NATS_REPLICAS', '6', 'from 1 to 5'],
    ['NATS_URL', 'nats://a,http://b', 'nats://'],
    ['MONGODB_URL', 'mysql://m', 'mongodb://'],
    ['AUTH_STRATEGY', 'JWT', 'jwt, introspection, none'],
    ['JWT_SECRET', 'short', '16'],
    ['ENCRYPTION_KEYS', `k1:${key},k1:${key}`, 'base64 of 32 bytes'],
    ['ENCRYPTION_KEYS', `k1:${Buffer.alloc(16).toString('base64')}`, 'base64 of 32 bytes'],
    ['ENCRYPTION_KEYS', key, 'base64 of 32 bytes'],
    ['CORS_ORIGINS', 'https://a/path', 'an origin'],
    ['CORS_ORIGINS', 'example.org', 'an origin'],
    ['TRUST_PROXY', 'true', 'proxies'],
    ['DRAIN_DELAY_MS', '60000', 'milliseconds'],
    ['LOG_LEVEL', 'line\nbreak', 'trace, debug'],
  ];
  test.each(bad)('%s=%j', (name, value, expected) => {
    const message = refusal('all', { [name]: value });
    expect(message).toMatch(new RegExp(`^${name}: `));
    expect(message).toContain(`; expected `);
    expect(message).toContain(expected);
    expect(message).not.toContain('\n');
  });
});

test('the message says which item of a list is wrong', () => {
  expect(refusal('all', { NATS_URL: 'nats://a,http://b' })).toContain('item 2');
});

test.each(Object.entries(variables).filter(([, variable]) => 'secret' in variable))(
  'a value of %s that is refused is not printed',
  (name) => {
    for (const value of ['hush', ' hush://hush hush ', 'hush'.repeat(2_000)]) {
      try {
        loadConfig('all', { [name]: value });
      } catch (error) {
        expect((error as Error).message).not.toContain('hush');
      }
    }
  },
);

describe('secrets in files', () => {
  test('a file gives the secret without its last line break', () => {
    const config = loadConfig('services', {
      ...services,
      JWT_SECRET: undefined,
      JWT_SECRET_FILE: file('jwt', `${secret} \r\n`),
      MONGODB_URL: undefined,
      MONGODB_URL_FILE: file('mongo', 'mongodb://u:p@m/db'),
    });
    expect(config.jwtSecret).toBe(`${secret} `);
    expect(config.mongodbUrl).toBe('mongodb://u:p@m/db');
  });

  test('a secret and its file together are refused', () => {
    const both = { API_KEY: 'the first key', API_KEY_FILE: file('api', 'the first key') };
    expect(refusal('all', both)).toBe('API_KEY_FILE: is set beside API_KEY; expected one of the two');
  });

  test('a file that is missing, empty, large or wrong is refused without what it holds', () => {
    const tried = (path: string) => refusal('all', { JWT_SECRET_FILE: path });
    expect(tried(join(directory, 'none'))).toMatch(/^JWT_SECRET_FILE: names a file that cannot be read \(ENOENT\);/);
    expect(tried(file('empty', '\n'))).toMatch(/^JWT_SECRET_FILE: names an empty file;/);
    expect(tried(file('large', 'x'.repeat(70_000)))).toMatch(/^JWT_SECRET_FILE: names a large file;/);
    expect(tried(file('short', 'hush'))).toBe('JWT_SECRET_FILE: is too short; expected 16 to 4096 characters');
  });

  test('what is no secret does not come from a file', () => {
    expect(loadConfig('all', { HTTP_PORT_FILE: file('port', '8080') }).httpPort).toBe(3000);
  });
});

describe('aliases of idae-socket', () => {
  test('they are read and let every valid signature in', () => {
    const config = loadConfig('all', {
      IDAE_SOCKET_AUTH_STRATEGY: 'introspection',
      IDAE_SOCKET_JWT_SECRET: secret,
      IDAE_SOCKET_INTROSPECTION_URL: 'http://auth.example.org/verify',
    });
    expect(config).toMatchObject({
      authStrategy: 'introspection',
      jwtSecret: secret,
      authIntrospectionUrl: 'http://auth.example.org/verify',
      authUsers: 'external',
    });
  });

  test('AUTH_USERS has the last word', () => {
    expect(loadConfig('all', { IDAE_SOCKET_JWT_SECRET: secret, AUTH_USERS: 'local' }).authUsers).toBe('local');
  });

  test('a message names the alias that was used', () => {
    expect(refusal('all', { IDAE_SOCKET_JWT_SECRET: 'hush' })).toMatch(/^IDAE_SOCKET_JWT_SECRET: is too short;/);
  });

  test('an alias beside the variable is refused', () => {
    const both = { JWT_SECRET: secret, IDAE_SOCKET_JWT_SECRET: secret };
    expect(refusal('all', both)).toMatch(/^IDAE_SOCKET_JWT_SECRET: is set beside JWT_SECRET;/);
  });
});

describe('unknown variables', () => {
  test('one that begins with TRIGATE_ is refused', () => {
    expect(refusal('all', { TRIGATE_HTTP_PORT: '1' })).toMatch(/^TRIGATE_HTTP_PORT: is not a variable of Trigate/);
  });

  test("the command line's own and everyone else's are left alone", () => {
    const env = { TRIGATE_URL: 'http://a', TRIGATE_TOKEN: 'x', PATH: '/bin', HTTP_PROXY: 'no' };
    expect(loadConfig('all', env)).toEqual(loadConfig('all', {}));
  });
});

describe('what a role needs', () => {
  const needs: [Role, string[]][] = [
    ['services', ['NATS_URL', 'MONGODB_URL', 'JWT_SECRET', 'ENCRYPTION_KEYS']],
    ['gateway:http', ['NATS_URL', 'JWT_SECRET']],
    ['gateway:socketio', ['NATS_URL', 'JWT_SECRET']],
    ['gateway:mqtt', ['NATS_URL', 'JWT_SECRET', 'MQTT_URL']],
  ];
  const given: NodeJS.ProcessEnv = { ...services, MQTT_URL: 'mqtt://broker' };

  test.each(needs)('%s starts with exactly these: %j', (role, names) => {
    const env = Object.fromEntries(names.map((name) => [name, given[name]]));
    expect(loadConfig(role, env).role).toBe(role);
    for (const name of names) {
      expect(refusal(role, { ...env, [name]: undefined })).toMatch(new RegExp(`^${name}: is not set; expected `));
    }
  });

  test('a file of keys stands in for the secret, not beside it', () => {
    const env = { NATS_URL: 'nats://a', JWT_KEYS_FILE: '/keys.json' };
    expect(loadConfig('gateway:http', env).jwtKeysFile).toBe('/keys.json');
    expect(refusal('gateway:http', { ...env, JWT_SECRET: secret })).toMatch(/^JWT_KEYS_FILE: is set beside JWT_SECRET/);
  });

  test('public hosts are as many as media servers', () => {
    const two = { MEDIAMTX_API_URL: 'http://m1,http://m2' };
    expect(() => loadConfig('all', { ...two, MEDIAMTX_PUBLIC_HOSTS: 'a' })).toThrow(
      /^MEDIAMTX_PUBLIC_HOSTS: .*expected 2/,
    );
    expect(() => loadConfig('all', { MEDIAMTX_PUBLIC_HOSTS: 'a,b' })).toThrow(/^MEDIAMTX_PUBLIC_HOSTS: .*expected 1/);
    expect(loadConfig('all', { MEDIAMTX_PUBLIC_HOSTS: 'a' }).mediamtxPublicHosts).toEqual(['a']);
  });

  test('EMQX’s API needs a key and its secret', () => {
    const env = { EMQX_API_URL: 'http://emqx:18083', EMQX_API_KEY: 'k' };
    expect(refusal('all', env)).toMatch(/^EMQX_API_KEY: or EMQX_API_SECRET is not set/);
    expect(loadConfig('all', { ...env, EMQX_API_SECRET: 's' })).toMatchObject({ emqxApiKey: 'k' });
  });

  test.each<Role>(['all', 'gateway:http', 'gateway:mqtt'])('%s takes a login at the broker only as a whole', (role) => {
    const env = { ...given, MQTT_USERNAME: 'gateway', MQTT_PASSWORD: 'p' };
    expect(loadConfig(role, env)).toMatchObject({ mqttUsername: 'gateway', mqttPassword: 'p' });
    expect(refusal(role, { ...env, MQTT_PASSWORD: '' })).toMatch(
      /^MQTT_PASSWORD: is not set; expected it beside MQTT_US/,
    );
    expect(refusal(role, { ...env, MQTT_USERNAME: undefined })).toMatch(/^MQTT_USERNAME: is not set; expected it/);
  });

  test('introspection needs its URL', () => {
    expect(refusal('all', { AUTH_STRATEGY: 'introspection' })).toMatch(/^AUTH_INTROSPECTION_URL: is not set/);
  });
});

test('the table has a line of three cells for every variable', () => {
  const [head, , ...rows] = configTable().split('\n');
  expect(head).toMatch(/^\| variable +\| default +\| meaning +\|$/);
  expect(rows).toHaveLength(Object.keys(variables).length);
  for (const row of rows) expect(row.split('|')).toHaveLength(5);
  expect(rows.find((row) => row.includes('`MQTT_URL`'))).toContain('Required by the mqtt gateway');
});
