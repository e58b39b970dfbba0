import { randomUUID } from 'node:crypto';
import type { Server } from 'socket.io';
import type { Bus } from '../../shared/fanout/bus.ts';
import { Elsewhere, type Held, TellSteps } from './elsewhere.rules.ts';
import { userRoom } from './events.ts';

/** Milliseconds between heartbeats. */
const beatEveryMs = 1_000;
/** Milliseconds within which those who ask are answered together. */
const answerMs = 50;
/** A user's sockets are told in steps of this part of the limit. */
const stepPart = 20;
/** Users in one notice: about 100 KB. */
const maxTold = 1_000;
const topic = 'sockets.held';
const prefix = userRoom('');

interface Notice {
  from: string;
  held?: Held[];
  /** What was told before counts no more. */
  anew?: true;
  /** Who is to tell everything: a gateway, or all of them. */
  ask?: string;
  ended?: true;
}
const everybody = '*';

export interface SocketsElsewhere {
  /** The sockets of a user at other gateways, as far as this one has heard. */
  count(userId: string): number;
  stop(): Promise<void>;
}

/**
 * Gateways tell each other how many sockets a user has where that passes a multiple of a twentieth of the limit, at the
 * end of the turn in which it does, so that no connection waits for another gateway. A gateway that ended counts no
 * more at once, one that died after 4 s; one that the others cannot be heard by counts for itself.
 */
export async function socketsElsewhere(
  io: Server,
  most: number,
  bus: Pick<Bus, 'notify' | 'listen' | 'onGap'>,
): Promise<SocketsElsewhere> {
  const self = randomUUID();
  const { adapter } = io.of('/');
  const others = new Elsewhere();
  const own = new TellSteps(Math.max(1, Math.floor(most / stepPart)));
  const changed = new Set<string>();
  let answering: NodeJS.Timeout | undefined;
  const notify = (notice: Omit<Notice, 'from'>) => bus.notify(topic, { from: self, ...notice } satisfies Notice);

  function tellChanged(): void {
    const held = [...changed].flatMap((room) => {
      const one = own.changed(room.slice(prefix.length), adapter.rooms.get(room)?.size ?? 0);
      return one ? [one] : [];
    });
    changed.clear();
    for (let at = 0; at < held.length; at += maxTold) notify({ held: held.slice(at, at + maxTold) });
  }
  function tellAll(): void {
    clearTimeout(answering);
    answering = undefined;
    const held = own.told();
    notify({ held: held.slice(0, maxTold), anew: true });
    for (let at = maxTold; at < held.length; at += maxTold) notify({ held: held.slice(at, at + maxTold) });
  }
  const moved = (room: string): void => {
    if (!room.startsWith(prefix)) return;
    if (changed.size === 0) setImmediate(tellChanged);
    changed.add(room);
  };

  const listening = await bus.listen(topic, (data) => {
    const { from, held, anew, ask, ended } = data as Notice;
    if (from === self) return;
    if (ask === self || ask === everybody) answering ??= setTimeout(tellAll, answerMs).unref();
    if (ended) others.forget(from);
    else if (!others.hear(from, held ?? [], anew) && ask === undefined) notify({ ask: from });
  });
  let stopped = false;
  const introduce = () => {
    if (stopped) return;
    tellAll();
    notify({ ask: everybody });
  };
  adapter.on('join-room', moved);
  adapter.on('leave-room', moved);
  bus.onGap(introduce);
  introduce();
  const timer = setInterval(() => {
    others.beat();
    notify({});
  }, beatEveryMs).unref();

  return {
    count: (userId) => others.count(userId),
    async stop() {
      stopped = true;
      clearInterval(timer);
      clearTimeout(answering);
      adapter.off('join-room', moved);
      adapter.off('leave-room', moved);
      await listening.stop();
      notify({ ended: true });
    },
  };
}

/** Where there is no limit nobody asks. */
export const nothingElsewhere: SocketsElsewhere = { count: () => 0, stop: () => Promise.resolve() };
