/** Asks at most once at a time and keeps the answer for a while; a failure is not kept. */
export function sharedLookup<T>(ask: () => Promise<T>, keepMs: number): () => Promise<T> {
  let asked: Promise<T> | undefined;
  let until = 0;
  return () => {
    if (asked && performance.now() < until) return asked;
    const question = ask();
    asked = question;
    // While it is being answered it counts as fresh.
    until = Number.POSITIVE_INFINITY;
    question.then(
      () => {
        if (asked === question) until = performance.now() + keepMs;
      },
      () => {
        if (asked === question) asked = undefined;
      },
    );
    return question;
  };
}
