/** A clock that stands still until a test moves it. */

import type { Cancel, Clock } from '../core/time.ts';
import { onNextTurn } from '../core/time.ts';

export interface ManualClock extends Clock {
  /** Moves to `atMs` (never back), calling every timer on the way at its time, in order, each with time to take effect. */
  moveTo(atMs: number): Promise<void>;
  /** Moves to the next timer and calls it. Answers `false` when there is none. */
  moveToNextTimer(): Promise<boolean>;
  /** How many timers are set. */
  timers(): number;
}

interface Timer {
  /** In ms of `elapsed`. */
  readonly at: number;
  readonly callback: () => void;
}

/** A clock at `startMs`, milliseconds since the epoch. `settle` lets what a timer set off take effect. */
export function createManualClock(startMs: number, settle: () => Promise<void> = turn): ManualClock {
  const timers = new Set<Timer>();
  let elapsed = 0;

  function next(): Timer | null {
    let earliest: Timer | null = null;
    for (const timer of timers) if (earliest === null || timer.at < earliest.at) earliest = timer;
    return earliest;
  }

  async function call(timer: Timer): Promise<void> {
    timers.delete(timer);
    elapsed = Math.max(elapsed, timer.at);
    timer.callback();
    await settle();
  }

  return {
    // Whole, as a wall clock is; timers stand at fractions of a millisecond.
    now: () => startMs + Math.round(elapsed),
    elapsed: () => elapsed,
    schedule(delayMs, callback): Cancel {
      const timer = { at: elapsed + Math.max(0, delayMs), callback };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    async moveTo(atMs) {
      const until = atMs - startMs;
      for (let timer = next(); timer !== null && timer.at <= until; timer = next()) await call(timer);
      elapsed = Math.max(elapsed, until);
    },
    async moveToNextTimer() {
      const timer = next();
      if (timer !== null) await call(timer);
      return timer !== null;
    },
    timers: () => timers.size,
  };
}

/** Lets everything that is ready have its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => onNextTurn(resolve));
}
