import { readFileSync, statSync } from 'node:fs';
import type { z } from 'zod';
import { markdownTable } from '../contracts/derive/markdown.ts';
import type { EncryptionKey } from './config.types.ts';
import { distributed, type Role, type Variable, type VariableName, variables } from './config.variables.ts';

type Table = typeof variables;
type Always<N extends VariableName> = Table[N] extends { default: string } ? N : never;
type Value<N extends VariableName> = z.output<Table[N]['type']['schema']>;

/**
 * What a process was told, in camel case: `HTTP_PORT` is `httpPort`. Variables without a default are absent when
 * unset. Frozen. It holds secrets: do not log it.
 */
export type Config = Readonly<
  { role: Role; corsOrigins: string[] } & {
    [N in VariableName as N extends Always<N> ? Table[N]['key'] : never]: Value<N>;
  } & { [N in VariableName as N extends Always<N> ? never : Table[N]['key']]?: Value<N> }
>;

export type { EncryptionKey, Role };

/** A value the process cannot start with. The message is one line that names the variable and holds no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(variable: string, wrong: string, expected: string) {
    super(`${variable} ${wrong}; expected ${expected}`.replace(/\s+/g, ' '));
  }
}

/** Known to the command line, which reads them itself. */
const ofTheCommandLine = ['TRIGATE_URL', 'TRIGATE_TOKEN'];
/** Bytes; a secret is shorter by far. */
const maxSecretFile = 65_536;
/** They log in to the MQTT broker, or say to EMQX who may. */
const atTheBroker: readonly Role[] = ['all', 'gateway:http', 'gateway:mqtt'];

/**
 * Reads the variables of a process. Empty ones count as unset; those the role does not use are checked all the same.
 * @throws ConfigError
 */
export function loadConfig(role: Role, env: NodeJS.ProcessEnv): Config {
  refuseUnknown(env);
  const values: Record<string, unknown> = { role, corsOrigins: [] };
  for (const [name, variable] of entries()) {
    const value = readVariable(name, variable, role, env);
    if (value !== undefined) values[variable.key] = value;
  }
  if (aliased(env) && !env.AUTH_USERS) values.authUsers = 'external';
  // In one process nothing goes over NATS, whatever the shell happens to export.
  if (role === 'all') delete values.natsUrl;
  const config = freeze(values) as unknown as Config;
  refuseIncomplete(config);
  return config;
}

/** One variable from a text, as the environment would give it. @throws ConfigError */
export function parseVariable<N extends VariableName>(name: N, text: string, shownAs: string = name): Value<N> {
  const { type, secret }: Variable = variables[name];
  const parsed = type.schema.safeParse(text);
  if (parsed.success) return parsed.data as Value<N>;
  const given = secret ? '' : `${JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)} `;
  throw new ConfigError(`${shownAs}:`, `${given}${parsed.error.issues[0]?.message}`, type.expected);
}

const entries = () => Object.entries(variables) as [VariableName, Variable][];

function refuseUnknown(env: NodeJS.ProcessEnv): void {
  const known = new Set([...ofTheCommandLine, ...entries().map(([name]) => name)]);
  const unknown = Object.keys(env).find((name) => name.startsWith('TRIGATE_') && !known.has(name));
  if (unknown)
    throw new ConfigError(
      `${unknown}:`,
      'is not a variable of Trigate',
      `one of ${ofTheCommandLine.join(', ')} or none`,
    );
}

function readVariable(name: VariableName, variable: Variable, role: Role, env: NodeJS.ProcessEnv): unknown {
  const given = [name, variable.alias].flatMap((source) => (source ? sources(source, variable, env) : []));
  const [first, second] = given;
  if (first && second) throw new ConfigError(`${second.name}:`, `is set beside ${first.name}`, 'one of the two');
  if (first) return parseVariable(name, first.read(), first.name);
  const text = variable.defaultOf ? variable.defaultOf(role) : variable.default;
  if (text !== undefined) return parseVariable(name, text);
  if (variable.required?.includes(role)) throw new ConfigError(`${name}:`, 'is not set', variable.type.expected);
  return undefined;
}

interface Source {
  name: string;
  read(): string;
}

function sources(name: string, { secret }: Variable, env: NodeJS.ProcessEnv): Source[] {
  const found: Source[] = [];
  const value = env[name];
  if (value) found.push({ name, read: () => value });
  const file = secret && env[`${name}_FILE`];
  if (file) found.push({ name: `${name}_FILE`, read: () => readSecret(`${name}_FILE`, file) });
  return found;
}

/** Editors and `echo` end a file with a line break, which is not part of a secret. */
function readSecret(name: string, file: string): string {
  let text: string;
  try {
    if (statSync(file).size > maxSecretFile) throw new ConfigError(`${name}:`, 'names a large file', 'a secret');
    text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${name}:`,
      `names a file that cannot be read (${code})`,
      'the path of a file with the secret',
    );
  }
  if (text === '') throw new ConfigError(`${name}:`, 'names an empty file', 'the path of a file with the secret');
  return text;
}

const aliased = (env: NodeJS.ProcessEnv): boolean =>
  entries().some(([, variable]) => variable.alias && sources(variable.alias, variable, env).length > 0);

/** What no variable can tell alone. */
function refuseIncomplete(config: Config): void {
  if (config.authStrategy === 'introspection' && !config.authIntrospectionUrl) {
    throw new ConfigError('AUTH_INTROSPECTION_URL:', 'is not set', `a URL where AUTH_STRATEGY is introspection`);
  }
  if (config.emqxApiUrl && !(config.emqxApiKey && config.emqxApiSecret)) {
    throw new ConfigError('EMQX_API_KEY:', 'or EMQX_API_SECRET is not set', 'both where EMQX_API_URL is set');
  }
  // A user name alone would be let in without a password, and to everything.
  if (atTheBroker.includes(config.role) && !config.mqttUsername !== !config.mqttPassword) {
    const [missing, given] = config.mqttUsername ? ['PASSWORD', 'USERNAME'] : ['USERNAME', 'PASSWORD'];
    throw new ConfigError(`MQTT_${missing}:`, 'is not set', `it beside MQTT_${given}`);
  }
  if (config.jwtSecret && config.jwtKeysFile) {
    throw new ConfigError('JWT_KEYS_FILE:', 'is set beside JWT_SECRET', 'one of the two');
  }
  if (!config.jwtSecret && !config.jwtKeysFile && (distributed as readonly Role[]).includes(config.role)) {
    throw new ConfigError('JWT_SECRET:', 'is not set', `it, JWT_SECRET_FILE or JWT_KEYS_FILE in this role`);
  }
  const { mediamtxApiUrl, mediamtxPublicHosts } = config;
  const mediaServers = mediamtxApiUrl?.length ?? 1;
  if (mediamtxPublicHosts && mediamtxPublicHosts.length !== mediaServers) {
    throw new ConfigError('MEDIAMTX_PUBLIC_HOSTS:', 'has another length', `${mediaServers}, one for each media server`);
  }
}

/** Lists too; a Buffer cannot be frozen. */
function freeze(values: Record<string, unknown>): Record<string, unknown> {
  for (const value of Object.values(values)) if (Array.isArray(value)) Object.freeze(value);
  return Object.freeze(values);
}

/** The table of the README: variable, default, meaning. */
export function configTable(): string {
  const rows = entries().map(([name, variable]) => {
    const names = variable.secret ? `\`${name}\`, \`${name}_FILE\`` : `\`${name}\``;
    const shown = variable.shown ?? (variable.default === undefined ? '–' : `\`${variable.default}\``);
    const aliasNote = variable.alias ? `. Alias: \`${variable.alias}\`` : '';
    return [names, shown, `${variable.meaning}${requirement(variable)}${aliasNote}`];
  });
  return markdownTable(['variable', 'default', 'meaning'], rows);
}

function requirement({ required = [] }: Variable): string {
  if (required.length === 0) return '';
  const everywhere = required.length === distributed.length;
  const names = required.map((role) => (role === 'services' ? 'the services' : `the ${role.slice(8)} gateway`));
  return `. Required by ${everywhere ? 'services and gateways' : names.join(', ')}`;
}
