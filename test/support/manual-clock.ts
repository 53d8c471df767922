/** A clock moved by hand: nothing in a test sleeps. */

import type { Cancel, Clock } from '../../src/core/time.ts';

export interface ManualClock extends Clock {
  /** Moves the time in steps to every timer on the way, and lets what each set off come to rest. */
  advance(ms: number): Promise<void>;
  /** Passes time without calling a timer, as a process that stands still does: they are all late when it goes on. */
  freeze(ms: number): void;
  /** Timers that are set. */
  readonly timers: number;
}

export function createManualClock(startAt = Date.UTC(2026, 0, 1)): ManualClock {
  let elapsed = 0;
  let order = 0;
  const timers = new Map<number, { readonly at: number; readonly callback: () => void }>();

  function schedule(delayMs: number, callback: () => void): Cancel {
    const id = order++;
    timers.set(id, { at: elapsed + Math.max(0, delayMs), callback });
    return () => void timers.delete(id);
  }

  async function advance(ms: number): Promise<void> {
    const until = elapsed + ms;
    await rest();
    for (;;) {
      const next = [...timers]
        .filter(([, timer]) => timer.at <= until)
        .sort(([idA, a], [idB, b]) => a.at - b.at || idA - idB)[0];
      if (next === undefined) break;
      timers.delete(next[0]);
      elapsed = Math.max(elapsed, next[1].at);
      next[1].callback();
      await rest();
    }
    elapsed = until;
    await rest();
  }

  return {
    now: () => startAt + Math.round(elapsed),
    elapsed: () => elapsed,
    schedule,
    advance,
    freeze: (ms) => {
      elapsed += ms;
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets promises and turns of the event loop run until nothing more can happen without the clock. */
export async function rest(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}
