import { createPrivateKey, createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { importJWK, jwtVerify, SignJWT } from 'jose';
import jwt from 'jsonwebtoken';

const algorithms = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
type Algorithm = (typeof algorithms)[number];

interface Key {
  kid: string | undefined;
  alg: Algorithm;
  sign: KeyObject;
  verify: KeyObject;
  jwk: JsonWebKey | undefined;
}

export type Claims = Record<string, unknown> & { exp?: number; iat?: number; sub?: string };

export interface Keyring {
  /** Signs with the first key. `lifetime` in seconds. */
  sign(claims: Record<string, unknown>, lifetime: number): Promise<string>;
  /** The claims; each key accepts its own algorithm only. @throws Error for anything wrong with the token. */
  verify(token: string): Promise<Claims>;
  /** Public halves (RFC 7517); empty for a shared secret. */
  jwks(): { keys: JsonWebKey[] };
}

const maxTokenLength = 8_192;

export function keyring(source: { secret: string } | { keysFile: string }): Keyring {
  const keys = 'secret' in source ? [secretKey(source.secret)] : readKeys(source.keysFile);
  const signer = keys[0] as Key;
  return {
    sign: (claims, lifetime) => signWith(signer, claims, lifetime),
    async verify(token) {
      if (token.length > maxTokenLength) throw new Error('the token is too long');
      const header = jwt.decode(token, { complete: true })?.header;
      const key = keys.length === 1 && !header?.kid ? signer : keys.find(({ kid }) => kid === header?.kid);
      // A shared secret has no kid of its own: tokens made elsewhere with it may carry any.
      const chosen = key ?? (signer.alg === 'HS256' && keys.length === 1 ? signer : undefined);
      if (!chosen) throw new Error('the token names an unknown key');
      return verifyWith(chosen, token);
    },
    jwks: () => ({ keys: keys.flatMap(({ jwk }) => (jwk ? [jwk] : [])) }),
  };
}

function secretKey(secret: string): Key {
  const key = createSecretKey(Buffer.from(secret, 'utf8'));
  return { kid: undefined, alg: 'HS256', sign: key, verify: key, jwk: undefined };
}

/** @throws Error in one line that names what is wrong with the file. */
function readKeys(file: string): Key[] {
  const set = JSON.parse(readFileSync(file, 'utf8')) as { keys?: (JsonWebKey & { kid?: string; alg?: string })[] };
  if (!Array.isArray(set.keys) || set.keys.length === 0) throw new Error(`${file} holds no JWK set`);
  return set.keys.map((jwk) => {
    const alg = algorithms.find((name) => name === jwk.alg);
    if (!alg || alg === 'HS256') throw new Error(`${file}: a key needs alg RS256, ES256 or EdDSA`);
    if (!jwk.kid) throw new Error(`${file}: a key has no kid`);
    if (!jwk.d) throw new Error(`${file}: key ${jwk.kid} has no private half`);
    const sign = createPrivateKey({ key: jwk, format: 'jwk' });
    const verify = createPublicKey(sign);
    const publicHalf = { ...verify.export({ format: 'jwk' }), kid: jwk.kid, alg, use: 'sig' };
    return { kid: jwk.kid, alg, sign, verify, jwk: publicHalf };
  });
}

/** jsonwebtoken has no EdDSA (RFC 8037); jose signs and verifies those. */
async function signWith(key: Key, claims: Record<string, unknown>, lifetime: number): Promise<string> {
  if (key.alg === 'EdDSA') {
    const jwk = await importJWK(key.sign.export({ format: 'jwk' }) as never, 'EdDSA');
    const header = { alg: 'EdDSA', ...(key.kid && { kid: key.kid }) };
    return new SignJWT(claims).setProtectedHeader(header).setIssuedAt().setExpirationTime(`${lifetime}s`).sign(jwk);
  }
  return jwt.sign(claims, key.sign, {
    algorithm: key.alg,
    expiresIn: lifetime,
    ...(key.kid && { keyid: key.kid }),
  });
}

async function verifyWith(key: Key, token: string): Promise<Claims> {
  if (key.alg === 'EdDSA') {
    const { payload } = await jwtVerify(token, key.verify, { algorithms: ['EdDSA'] });
    return payload as Claims;
  }
  const claims = jwt.verify(token, key.verify, { algorithms: [key.alg] });
  if (typeof claims === 'string') throw new Error('the token holds no claims');
  return claims;
}
