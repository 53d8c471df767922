/** Who exists, as of a moment ago: while somebody guesses names, no guess costs a query. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

export interface Roster {
  /** Never older than `limits.rosterMs`. Rejects with STORE_* while the store is away. */
  has(name: string): Promise<boolean>;
}

/** `read` answers all there are, a bounded number. */
export function createRoster(clock: Pick<Clock, 'elapsed'>, read: () => Promise<readonly string[]>): Roster {
  let names: Promise<ReadonlySet<string>> | null = null;
  let readAt = Number.NEGATIVE_INFINITY;
  return {
    async has(name) {
      if (names === null || clock.elapsed() - readAt >= limits.rosterMs) {
        readAt = clock.elapsed();
        const mine = read().then((found) => new Set(found));
        names = mine;
        mine.catch(() => {
          if (names === mine) names = null;
        });
      }
      return (await names).has(name);
    },
  };
}
