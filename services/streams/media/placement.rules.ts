/** What placement knows of a media server. */
export interface Candidate {
  id: string;
  alive: boolean;
  /** Cameras placed on it. */
  cameras: number;
  /** Readers of all its paths, over the whole fleet's processes. */
  readers: number;
}

/**
 * The server a camera goes to: the one it is on while that lives, else the live one with the fewest cameras, then the
 * fewest readers. Equals are told apart by camera and server, so that the choice is the same everywhere and does not
 * pile up on the first. Null where no server lives.
 */
export function place(camera: string, current: string | null, servers: readonly Candidate[]): string | null {
  const alive = servers.filter((server) => server.alive);
  if (alive.some(({ id }) => id === current)) return current;
  const [best] = alive.toSorted(
    (one, other) =>
      one.cameras - other.cameras || one.readers - other.readers || rank(camera, one.id) - rank(camera, other.id),
  );
  return best?.id ?? null;
}

/** FNV-1a of both names. */
function rank(camera: string, server: string): number {
  let hash = 0x811c9dc5;
  for (const character of `${camera}\n${server}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193);
  }
  return hash >>> 0;
}
