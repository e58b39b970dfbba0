import { createHash } from 'node:crypto';
import { entityToken } from './adapter/token.ts';

/** Each lane is handled serially by one process of a tier at a time; an entity is always in the same lane. */
export const laneCount = 8;

/** FNV-1a: stable over processes and releases, which order per entity depends on. */
export function laneOf(domain: string, entity: string | null): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${domain}\0${entity ?? ''}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % laneCount;
}

/** A name as one token of a fixed length: names come from clients and may be long. */
export const claimToken = (name: string): string => createHash('sha256').update(name).digest('base64url');

/** The names a bus has on NATS. @throws Error where the prefix cannot be part of a stream's name */
export function namesOf(prefix: string) {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(prefix)) {
    throw new Error(`a bus prefix has letters, digits, - and _ only, at most 64: ${prefix}`);
  }
  return {
    stream: `${prefix}-events`,
    events: `${prefix}.events.>`,
    lane: (lane: number) => `${prefix}.events.${lane}.>`,
    event: (body: { domain: string; entity: string | null; event: string }) =>
      `${prefix}.events.${laneOf(body.domain, body.entity)}.${body.domain}.${entityToken(body.entity)}.${body.event}`,
    /** Of one domain, in every lane. */
    domain: (domain: string) => `${prefix}.events.*.${domain}.>`,
    /** The stream that keeps what was stored last. */
    newest: (domain: string) => `${prefix}-newest-${domain}`,
    notice: (topic: string) => `${prefix}.notice.${topic}`,
    claims: (ttlMs: number) => ({ stream: `${prefix}-claims-${ttlMs}`, subjects: `${prefix}.claims.${ttlMs}.*` }),
    claim: (name: string, ttlMs: number) => `${prefix}.claims.${ttlMs}.${claimToken(name)}`,
  };
}

export type BusNames = ReturnType<typeof namesOf>;
