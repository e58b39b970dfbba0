import { loadConfig, type Role } from '../../shared/runtime/config.ts';

const roles: readonly Role[] = ['all', 'services', 'gateway:http', 'gateway:socketio', 'gateway:mqtt'];

/** Null, or one line that names the variable and what is wrong with it. */
export function checkConfig(role: string, env: NodeJS.ProcessEnv): string | null {
  const known = roles.find((name) => name === role);
  if (!known) return `there is no role ${role} (known: ${roles.join(', ')})`;
  try {
    loadConfig(known, env);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
