import { calmly } from '../calm.ts';

/** Milliseconds a test waits for an answer: longer than the longest the product may take (10 s). */
export const answerMs = 15_000;

/** The promise, bounded by so much time of a calm machine. @throws Error that names what did not come */
export async function within<T>(promise: Promise<T>, what: string, ms = answerMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const bound = calmly(ms);
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${bound} ms`)), bound);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until `good` holds. @throws Error with the last answer after so many milliseconds of a calm machine */
export async function eventually<T>(ask: () => Promise<T>, good: (value: T) => boolean, ms: number): Promise<T> {
  const bound = calmly(ms);
  const deadline = Date.now() + bound;
  for (;;) {
    const value = await ask();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`still after ${bound} ms: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
