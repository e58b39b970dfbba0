import { createHash } from 'node:crypto';

/**
 * An entity as one token of a NATS subject: itself where it is safe, else base64url after `=`, or its SHA-256 after
 * `~` where that would be long; `_` for none. Different entities get different tokens.
 */
export function entityToken(entity: string | null): string {
  if (entity === null) return '_';
  if (entity !== '_' && /^[A-Za-z0-9_-]{1,64}$/.test(entity)) return entity;
  const bytes = Buffer.from(entity);
  if (bytes.length <= 64) return `=${bytes.toString('base64url')}`;
  return `~${createHash('sha256').update(bytes).digest('base64url')}`;
}
