/** One run of a publisher: messages to rooms in turn, so many a second, for so many milliseconds. */
export interface Run {
  rooms: number;
  rate: number;
  ms: number;
  bytes: number;
}

/** Microseconds since the machine began: the same for all processes. */
export const micros = () => Number(process.hrtime.bigint() / 1_000n);

/** Calls `send` as often as the rate says and tells how often that was. */
export async function keepPace({ rate, ms }: Run, send: (nth: number) => void): Promise<number> {
  const began = performance.now();
  let sent = 0;
  for (let passed = 0; passed < ms; passed = performance.now() - began) {
    // What a late tick owes is sent, but never more than 20 ms' worth at once.
    const due = Math.min(Math.floor((passed * rate) / 1_000), sent + Math.ceil(rate / 50));
    for (; sent < due; sent += 1) send(sent);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return sent;
}
