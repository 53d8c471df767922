/** Requests that are held before anything is done for them, until their callers have read what they were answered before. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

/** One that is held. One of the two is called, once, and later. */
export interface Held {
  /** On the clock: then it has waited long enough. */
  readonly until: number;
  hasRead(): boolean;
  goOn(): void;
  refuse(): void;
}

export interface Holds {
  readonly size: number;
  /** Lets it go on once its caller has read, or refuses it in the end. Answers `false` where too many are held: nothing is called then. */
  add(held: Held): boolean;
}

export function createHolds(clock: Pick<Clock, 'elapsed' | 'schedule'>, most: number = limits.unreadHeldMax): Holds {
  const held = new Set<Held>();

  function look(): void {
    const now = clock.elapsed();
    const ended = [...held].filter((each) => now >= each.until || each.hasRead());
    for (const each of ended) held.delete(each);
    if (held.size > 0) clock.schedule(limits.unreadLookMs, look);
    // What goes on may be held again.
    for (const each of ended) {
      if (each.hasRead()) each.goOn();
      else each.refuse();
    }
  }

  return {
    get size() {
      return held.size;
    },
    add(one) {
      if (held.size >= most) return false;
      if (held.size === 0) clock.schedule(limits.unreadLookMs, look);
      held.add(one);
      return true;
    },
  };
}
