/** How long tasks waited, in few numbers: buckets that grow, so that millions of waits are some dozens of counts. */

/** Milliseconds. Shares are read from buckets: at most a fifth too long. */
export interface Waits {
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

export interface WaitBook {
  add(ms: number): void;
  read(): Waits;
}

/** Buckets for each doubling. */
const steps = 4;

export function createWaitBook(): WaitBook {
  const buckets: number[] = [];
  let count = 0;
  let longest = 0;

  function within(share: number): number {
    let left = share * count;
    const index = buckets.findIndex((waits) => {
      left -= waits;
      return left <= 0;
    });
    return Math.min(longest, Math.round(2 ** (index / steps)));
  }

  return {
    add(ms) {
      const index = ms <= 1 ? 0 : Math.ceil(steps * Math.log2(ms));
      while (buckets.length <= index) buckets.push(0);
      buckets[index] = (buckets[index] ?? 0) + 1;
      count += 1;
      longest = Math.max(longest, ms);
    },
    read: () => ({ median: within(0.5), p99: within(0.99), longest }),
  };
}
