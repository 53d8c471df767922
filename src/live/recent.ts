/** The last events in memory: who comes back after a moment goes on from here, and asks no store. */

import type { BatchEvent } from '../core/events.ts';

export interface Recent {
  /** Everything behind this number is here; `null` before the first event, and after a hole. */
  readonly from: number | null;
  /** Begins anew at a number. */
  restart(from: number): void;
  add(event: BatchEvent): void;
  /** All that it has behind a number, oldest first. */
  after(seq: number): readonly BatchEvent[];
  clear(): void;
}

/** Holds events with at most `itemsMax` tasks in them, the newest. */
export function createRecent(itemsMax: number): Recent {
  let events: BatchEvent[] = [];
  /** Those before it are dropped; the array is cut now and then. */
  let first = 0;
  let weight = 0;
  let from: number | null = null;

  function forgetOld(): void {
    for (; weight > itemsMax && first < events.length; first++) {
      const event = events[first];
      if (event === undefined) return;
      weight -= weightOf(event);
      from = event.seq;
    }
    if (first < 1_000 || first * 2 < events.length) return;
    events = events.slice(first);
    first = 0;
  }

  return {
    get from() {
      return from;
    },
    restart(seq) {
      events = [];
      first = 0;
      weight = 0;
      from = seq;
    },
    add(event) {
      events.push(event);
      weight += weightOf(event);
      forgetOld();
    },
    after(seq) {
      let low = first;
      for (let high = events.length; low < high; ) {
        const middle = (low + high) >> 1;
        if ((events[middle]?.seq ?? 0) <= seq) low = middle + 1;
        else high = middle;
      }
      return events.slice(low);
    },
    clear() {
      events = [];
      first = 0;
      weight = 0;
      from = null;
    },
  };
}

function weightOf({ items }: BatchEvent): number {
  return Math.max(1, items.length);
}
