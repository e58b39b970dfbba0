import { entityToken } from './token.ts';

/** A room or an id as one token of a subject. */
export const tokenOf = (name: string): string => entityToken(name);

/**
 * The subjects of an adapter. What is published on `log` is captured by the stream, which publishes it again on `live`
 * in the order of its sequences; without recovery, `live` is published on directly.
 *
 * Audiences: `a` is heard by every server of the namespace, `r.<owner>.<room>` by those with somebody in the room,
 * `l.<server>` only by that server, `c.<author>` by nobody.
 */
export function fanoutNames(prefix: string) {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(prefix)) {
    throw new Error(`an adapter's prefix has letters, digits, - and _ only, at most 64: ${prefix}`);
  }
  const of = (namespace: string) => {
    const nsp = tokenOf(namespace);
    return {
      log: (audience: string) => `${prefix}.log.m.${nsp}.${audience}`,
      live: (audience: string) => `${prefix}.live.${nsp}.${audience}`,
      session: (pid: string) => `${prefix}.log.s.${nsp}.${tokenOf(pid)}`,
      once: (id: string) => `${nsp}.${tokenOf(id)}`,
      heartbeats: `${prefix}.ctl.${nsp}`,
      server: (uid: string) => `${prefix}.srv.${nsp}.${uid}`,
      takeover: (uid: string) => `${prefix}.own.${nsp}.${uid}`,
      everything: `${prefix}.log.m.${nsp}.>`,
      sessions: `${prefix}.log.s.${nsp}.>`,
    };
  };
  return {
    stream: `${prefix}-fanout`,
    elections: `$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${prefix}-fanout`,
    captured: `${prefix}.log.>`,
    republish: { src: `${prefix}.log.m.>`, dest: `${prefix}.live.>` },
    of,
  };
}

export type FanoutNames = ReturnType<typeof fanoutNames>;
export type NamespaceNames = ReturnType<FanoutNames['of']>;

/** Whether a room is named like an id that Socket.IO makes: 15 random bytes, in its older protocol after `nsp#`. */
export const looksLikeSocketId = (room: string): boolean => /^(?:\/[^#]*#)?[A-Za-z0-9_-]{20}$/.test(room);

export const everybody = 'a';
/** `owner` is the server of the socket that the room is named by, where it is known: that one needs no subscription. */
export const roomAudience = (room: string, owner = '_'): string => `r.${owner}.${tokenOf(room)}`;
export const leaseAudience = (uid: string): string => `l.${uid}`;
/** Nobody listens. */
export const checkpointAudience = (author: string): string => `c.${author}`;

/**
 * The audience of some rooms, and the rooms that a message to it must name. Several go to everybody, with their names:
 * one message, one place in the log, so nobody gets it twice; it costs each server a look. So does a room that may be
 * the id of a socket, unless its server is known.
 */
export function audienceOf(
  rooms: readonly string[],
  ownerOf?: (room: string) => string | undefined,
): { audience: string; rooms: readonly string[] } {
  const [room, ...more] = rooms;
  if (room === undefined || more.length > 0) return { audience: everybody, rooms };
  if (!looksLikeSocketId(room)) return { audience: roomAudience(room), rooms: [] };
  const owner = ownerOf?.(room);
  return { audience: owner ? roomAudience(room, owner) : everybody, rooms };
}
