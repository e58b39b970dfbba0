import { readFileSync } from 'node:fs';

/** What a reader of a seed replaces: where the server is, and the own token. */
export interface Place {
  url: string;
  token: string;
}

const hosts = ['http://your-server-url', 'ws://localhost:3000'];
const tokens = ['your-jwt-token-here', 'your-jwt-token', 'your-token'];

/** A code block of a seed by its title, unchanged but for host and token. @throws Error where there is none */
export function block(seed: '003' | '004', title: string, { url, token }: Place): string {
  const text = readFileSync(new URL(`${seed}.md`, import.meta.url), 'utf8');
  const [, after] = text.split(`\n## ${title}\n`);
  const code = /^\n```\w+\n([\s\S]*?)\n```\n/.exec(after ?? '')?.[1];
  if (!code) throw new Error(`seed ${seed} has no block ${title}`);
  const placed = hosts.reduce((all, host) => all.replaceAll(host, url), code);
  return tokens.reduce(
    (all, name) => all.replaceAll(`${name}'`, `${token}'`).replaceAll(`=${name}`, `=${token}`),
    placed,
  );
}

/** Runs a block with these names in its scope, and gives what it calls `socket`, where it makes one. */
export function run<T>(code: string, scope: Record<string, unknown>): T {
  const own = /\bconst socket =/.test(code) ? '\nreturn socket;' : '';
  return new Function(...Object.keys(scope), `${code}${own}`)(...Object.values(scope)) as T;
}
