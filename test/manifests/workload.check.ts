import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { services } from '../../services/index.ts';
import { type Config, loadConfig, type Role } from '../../shared/runtime/config.ts';
import { type Variable, variables } from '../../shared/runtime/config.variables.ts';
import { placeFiles } from './local.ts';
import { roleOf, type Workload } from './workload.ts';

/** Every process of a distributed Trigate, as `roleOf` names it. */
export const processes: readonly string[] = [
  ...Object.keys(services).map((name) => `service-${name}`),
  ...['http', 'socketio', 'mqtt'].map((name) => `gateway-${name}`),
];

/** Variables of Node.js itself, and those an image or a runtime sets. */
const others = ['NODE_ENV', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS', 'TZ'];

const known = new Set([
  ...others,
  ...Object.entries(variables as Record<string, Variable>).flatMap(([name, { secret, alias }]) =>
    [name, alias ?? []].flat().flatMap((one) => (secret ? [one, `${one}_FILE`] : [one])),
  ),
]);

/** What keeps a container of Trigate from running as its manifest says; empty when nothing does. */
export function workloadProblems(workload: Workload): string[] {
  const { name, command, env, files } = workload;
  const problems: string[] = [];
  const role = roleOf(workload);
  if (command[0] !== 'node') problems.push('does not run node itself, which would then miss signals');
  if (!processes.includes(role)) problems.push(`runs ${command.join(' ')}, which is no service and no gateway`);
  for (const variable of Object.keys(env)) {
    if (!known.has(variable)) problems.push(`sets ${variable}, which nothing reads`);
    const path = env[variable] as string;
    if (variable.endsWith('_FILE') && files[path] === undefined) problems.push(`${variable} names no mounted file`);
  }
  if (problems.length === 0) problems.push(...configProblems(workload));
  return problems.map((problem) => `${name}: ${problem}`);
}

function configProblems(workload: Workload): string[] {
  try {
    const listening = Object.values(listensOn(workload));
    return [...workload.ports, ...workload.probes.map(({ port }) => port)]
      .filter((port) => !listening.includes(port))
      .map((port) => `nothing listens on port ${port}`);
  } catch (error) {
    return [(error as Error).message];
  }
}

/** Ports the process listens on, by the variables that name them. @throws ConfigError */
export function listensOn(workload: Workload): Record<string, number> {
  const role = roleOf(workload);
  const { httpPort, socketioPort, metricsPort } = configOf(workload, role.startsWith('service') ? 'services' : role);
  return {
    ...(role === 'gateway-http' && { HTTP_PORT: httpPort }),
    ...(role === 'gateway-socketio' && { SOCKETIO_PORT: socketioPort }),
    ...(metricsPort !== undefined && { METRICS_PORT: metricsPort }),
  };
}

function configOf(workload: Workload, role: string): Config {
  const folder = mkdtempSync(join(tmpdir(), 'trigate-config-'));
  try {
    const path = placeFiles(workload, folder, (text) => text);
    const env = Object.fromEntries(Object.entries(workload.env).map(([name, value]) => [name, path(value)]));
    return loadConfig(role.replace('gateway-', 'gateway:') as Role, env);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
