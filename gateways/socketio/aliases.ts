import type { Socket } from 'socket.io';
import { keep } from './keep.ts';

/** What of a socket outlives its connection, where that is recovered. */
interface Kept {
  /** Names of rooms by what else they were called: their ids, and the names that they had. */
  aliases?: Record<string, string>;
}

/** Of one connection; beyond that the oldest are forgotten. Twice the rooms that it joins at most. */
const maxAliases = 2_000;

const read = ({ data }: Socket): [alias: string, name: string][] => Object.entries((data as Kept).aliases ?? {});

function write(socket: Socket, aliases: [alias: string, name: string][]): void {
  const { length } = read(socket);
  (socket.data as Kept).aliases = Object.fromEntries(aliases.slice(-maxAliases));
  if (length + aliases.length > 0) keep(socket);
}

/** The name of the room that is called so too; never where the connection is in another one of that name. */
export function aliased({ data }: Socket, alias: string): string | undefined {
  const { aliases = {} } = data as Kept;
  return Object.hasOwn(aliases, alias) ? aliases[alias] : undefined;
}

/** A room that the connection is in: what is its name stands for no other one. @param id null where it is only a name */
export function addRoom(socket: Socket, name: string, id: string | null): void {
  const others = read(socket).filter(([alias]) => alias !== name && alias !== id);
  write(socket, id === null || id === name ? others : [...others, [id, name]]);
}

/** A room that the connection is not in. @returns what else it was called */
export function dropRoom(socket: Socket, name: string): string[] {
  const { own = [], others = [] } = Object.groupBy(read(socket), ([, of]) => (of === name ? 'own' : 'others'));
  write(socket, others);
  return own.map(([alias]) => alias);
}

/** A room that the connection is in has another name, and is known by this one too. */
export function renamed(socket: Socket, from: string, to: string): void {
  const others = read(socket).filter(([alias]) => alias !== from && alias !== to);
  write(socket, [...others.map(([alias, name]): [string, string] => [alias, name === from ? to : name]), [from, to]]);
}
