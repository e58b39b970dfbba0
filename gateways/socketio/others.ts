import type { Server } from 'socket.io';

const answerMs = 2_000;

type Ask = (event: string, ...args: unknown[]) => Promise<unknown[]>;

/** Asks the other gateways; who has not answered after 2 s is left out. */
export const othersOf =
  (io: Server): Ask =>
  async (event, ...args) => {
    // An adapter of one process knows no others, and says so on every question.
    if ((await io.of('/').adapter.serverCount()) <= 1) return [];
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve([]), answerMs);
      io.serverSideEmit(event, ...args, (error: { responses?: unknown[] } | null, responses: unknown[]) => {
        clearTimeout(timer);
        resolve(error?.responses ?? responses ?? []);
      });
    });
  };
