import { createHash } from 'node:crypto';

export interface Credentials {
  user: string;
  password: string;
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');

/** `key="value"` and `key=value` pairs of a challenge or an answer to one. */
function parameters(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, key = '', quoted, plain] of text.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)) {
    found[key.toLowerCase()] = quoted ?? plain ?? '';
  }
  return found;
}

interface Digest {
  user: string;
  password: string;
  realm: string;
  nonce: string;
  method: string;
  url: string;
}

/** The response of Digest authentication without `qop` (RFC 2069, as RFC 2326 names it). */
const digest = ({ user, password, realm, nonce, method, url }: Digest): string =>
  md5(`${md5(`${user}:${realm}:${password}`)}:${nonce}:${md5(`${method}:${url}`)}`);

/** The `Authorization` that answers a challenge: Digest where it is offered, else Basic; undefined for neither. */
export function authorize(
  challenges: readonly string[],
  { user, password }: Credentials,
  method: string,
  url: string,
): string | undefined {
  const offered = challenges.find((challenge) => /^digest /i.test(challenge));
  if (offered) {
    const { realm = '', nonce = '', algorithm = 'MD5' } = parameters(offered);
    if (algorithm.toUpperCase() === 'MD5') {
      const response = digest({ user, password, realm, nonce, method, url });
      return `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${url}", response="${response}"`;
    }
  }
  if (!challenges.some((challenge) => /^basic /i.test(challenge))) return undefined;
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** User and password of `Authorization: Basic`; both '' where there is none. */
export function basicCredentials(authorization: string): Credentials {
  const encoded = /^basic (\S+)$/i.exec(authorization)?.[1];
  if (!encoded) return { user: '', password: '' };
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? { user: text, password: '' } : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Whether `Authorization: Digest` was made from these credentials and this nonce. */
export function digestMatches(
  authorization: string,
  { user, password }: Credentials,
  nonce: string,
  method: string,
): boolean {
  if (!/^digest /i.test(authorization)) return false;
  const given = parameters(authorization);
  if (given.username !== user || given.nonce !== nonce) return false;
  return given.response === digest({ user, password, realm: given.realm ?? '', nonce, method, url: given.uri ?? '' });
}

export const digestUser = (authorization: string): string => parameters(authorization).username ?? '';
