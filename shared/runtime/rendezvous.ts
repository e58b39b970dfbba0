/** FNV-1a with the last mix of MurmurHash3: rendezvous hashing needs every bit of it. */
function weigh(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The process that a key (a user, a camera) belongs to: rendezvous hashing over those that are there, so that one that
 * comes or goes moves only its own share. Undefined where there is none.
 */
export function ownerOf(key: string, replicas: Iterable<string>): string | undefined {
  let owner: string | undefined;
  let best = -1;
  for (const replica of replicas) {
    const weight = weigh(`${replica}\0${key}`);
    if (weight > best || (weight === best && replica > (owner as string))) {
      owner = replica;
      best = weight;
    }
  }
  return owner;
}
