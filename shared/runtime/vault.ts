import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';

const version = 'v1';
/** Bytes, as NIST SP 800-38D recommends for GCM (5.2.1.1 for the nonce, 5.2.1.2 for the tag). */
const nonceLength = 12;
const tagLength = 16;

export interface VaultKey {
  /** Without a dot, which divides the sealed text. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** Keeps secrets at rest: AES-256-GCM with a random nonce. Random nonces bound a key to 2^32 seals. */
export interface Vault {
  /**
   * `v1.<key id>.<nonce>.<tag and ciphertext>`, the last two base64url, made with the first key. `context` says where
   * the text belongs (`credentials/<id>/tokens`): it opens in the same place only.
   */
  seal(text: string, context: string): string;
  /** @throws VaultError */
  open(sealed: string, context: string): string;
  /** The text sealed anew with the first key; null where that sealed it already. @throws VaultError */
  reseal(sealed: string, context: string): string | null;
}

/** Why a sealed text does not open. The message holds neither text nor key. */
export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly reason: 'malformed' | 'unknown-key' | 'tampered';
  constructor(reason: VaultError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** @throws Error where there is no key, one that is not 32 bytes long, or an id twice. */
export function vault(keys: readonly VaultKey[]): Vault {
  for (const { id, key } of keys) {
    if (!/^[A-Za-z0-9_-]+$/.test(id) || key.length !== 32) throw new Error(`the key ${id} does not fit a vault`);
  }
  // Made once: with a Buffer each use would make one of its own, which triples the time.
  const prepared = keys.map(({ id, key }) => ({ id, key: createSecretKey(key) }));
  const [first] = prepared;
  if (!first) throw new Error('a vault needs a key');
  const byId = new Map(prepared.map(({ id, key }) => [id, key]));
  if (byId.size !== keys.length) throw new Error('two keys of a vault have the same id');
  const opened = (sealed: string, context: string): string => {
    const parts = split(sealed);
    const key = byId.get(parts.id);
    if (!key) throw new VaultError('unknown-key', `sealed with the key ${parts.id}, which is not configured`);
    return open(key, parts, context);
  };
  return {
    seal: (text, context) => seal(first, text, context),
    open: opened,
    reseal: (sealed, context) => (split(sealed).id === first.id ? null : seal(first, opened(sealed, context), context)),
  };
}

interface PreparedKey {
  id: string;
  key: KeyObject;
}

interface Parts {
  id: string;
  nonce: Buffer;
  tag: Buffer;
  ciphertext: Buffer;
}

function split(sealed: string): Parts {
  const match = /^v1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(sealed);
  const [nonce, body] = [match?.[2], match?.[3]].map((part) => Buffer.from(part ?? '', 'base64url'));
  if (!match?.[1] || nonce?.length !== nonceLength || !body || body.length < tagLength) {
    throw new VaultError('malformed', 'this is not a sealed text');
  }
  return { id: match[1], nonce, tag: body.subarray(0, tagLength), ciphertext: body.subarray(tagLength) };
}

/** The version and the key id are bound too: none of the four parts can be exchanged. */
const additional = (id: string, context: string) => Buffer.from(`${version}.${id}.${context}`, 'utf8');

function seal({ id, key }: PreparedKey, text: string, context: string): string {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  cipher.setAAD(additional(id, context));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  const body = Buffer.concat([cipher.getAuthTag(), ciphertext]);
  return `${version}.${id}.${nonce.toString('base64url')}.${body.toString('base64url')}`;
}

function open(key: KeyObject, { id, nonce, tag, ciphertext }: Parts, context: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagLength });
  decipher.setAAD(additional(id, context));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
  } catch (error) {
    throw new VaultError('tampered', 'changed, moved from another place, or sealed with another key of this id', error);
  }
}
