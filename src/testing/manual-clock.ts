/** A clock that stands still until a test moves it. */

import type { Cancel, Clock } from '../core/time.ts';
import { onNextTurn } from '../core/time.ts';

export interface ManualClock extends Clock {
  /** Moves to `atMs` (never back), calling every timer on the way at its time, in order, each with a turn to take effect. */
  moveTo(atMs: number): Promise<void>;
  /** Moves to the next timer and calls it. Answers `false` when there is none. */
  moveToNextTimer(): Promise<boolean>;
}

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock at `startMs`, milliseconds since the epoch. */
export function createManualClock(startMs: number): ManualClock {
  const timers = new Set<Timer>();
  let now = startMs;

  function next(): Timer | null {
    let earliest: Timer | null = null;
    for (const timer of timers) if (earliest === null || timer.at < earliest.at) earliest = timer;
    return earliest;
  }

  async function call(timer: Timer): Promise<void> {
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.callback();
    await turn();
  }

  return {
    now: () => now,
    elapsed: () => now - startMs,
    schedule(delayMs, callback): Cancel {
      const timer = { at: now + Math.max(0, delayMs), callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async moveTo(atMs) {
      for (let timer = next(); timer !== null && timer.at <= atMs; timer = next()) await call(timer);
      now = Math.max(now, atMs);
    },
    async moveToNextTimer() {
      const timer = next();
      if (timer !== null) await call(timer);
      return timer !== null;
    },
  };
}

/** Lets everything that is ready have its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => onNextTurn(resolve));
}
