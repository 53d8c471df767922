/** One at a time, in the order of asking: SQLite has one transaction per connection, and JavaScript many callers. */

/** Runs `work` when everything asked for before has ended. Work that finds nobody before it starts at once. */
export type Mutex = <Answer>(work: () => Promise<Answer>) => Promise<Answer>;

export function createMutex(): Mutex {
  const waiting: (() => void)[] = [];
  let taken = false;
  return async (work) => {
    if (taken) await new Promise<void>((resolve) => waiting.push(resolve));
    taken = true;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // The lock is handed over, never let go between two holders, so that nobody slips in before the next.
      if (next === undefined) taken = false;
      else next();
    }
  };
}
