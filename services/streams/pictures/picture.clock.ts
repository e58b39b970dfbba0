import { framesPerSecond } from './picture.files.ts';

const frameMs = 1_000 / framesPerSecond;
const due = new Set<(slot: number) => void>();
let timer: NodeJS.Timeout | undefined;

/** Number of the frame that is shown now: frames of all pictures begin together. */
export const currentSlot = (): number => Math.floor(performance.now() / frameMs);

/**
 * Calls for each frame, by one timer for all pictures of the process. It keeps to the clock, unlike an interval, which is
 * a little later each time; frames that the process was too busy for are left out. `send` must not throw.
 * @returns how to end it
 */
export function everyFrame(send: (slot: number) => void): () => void {
  due.add(send);
  timer ??= next();
  return () => {
    due.delete(send);
    if (due.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
}

function next(last = currentSlot()): NodeJS.Timeout {
  const slot = Math.max(last, currentSlot()) + 1;
  // A timer may come a little early.
  return setTimeout(run, slot * frameMs - performance.now() + 1, slot);
}

function run(slot: number): void {
  timer = next(slot);
  for (const send of due) send(Math.max(slot, currentSlot()));
}
