/** Runs tasks one after the other; urgent ones before the others. */
export interface Lane {
  /** @throws Error where 10,000 tasks wait already */
  run<T>(task: () => Promise<T>, urgent?: boolean): Promise<T>;
}

const maxWaiting = 10_000;

export function lane(): Lane {
  const urgent: (() => Promise<void>)[] = [];
  const others: (() => Promise<void>)[] = [];
  let running = false;

  async function work(): Promise<void> {
    running = true;
    for (let next = urgent.shift() ?? others.shift(); next; next = urgent.shift() ?? others.shift()) await next();
    running = false;
  }

  return {
    run: (task, isUrgent = false) =>
      new Promise((resolve, reject) => {
        if (urgent.length + others.length >= maxWaiting) throw new Error('Too many changes wait for the media server');
        (isUrgent ? urgent : others).push(() => task().then(resolve, reject));
        if (!running) void work();
      }),
  };
}
