/** The clock of the test kit for tests of the parts: after each timer all that it set off comes to rest. */

import * as kit from '../../src/testing/manual-clock.ts';

export interface ManualClock extends kit.ManualClock {
  /** Moves the time in steps to every timer on the way, and lets what each set off come to rest. */
  advance(ms: number): Promise<void>;
  /** Passes time without calling a timer, as a process that stands still does: they are all late when it goes on. */
  freeze(ms: number): void;
}

export function createManualClock(startAt = Date.UTC(2026, 0, 1)): ManualClock {
  const clock = kit.createManualClock(startAt, rest);
  let frozenMs = 0;
  return {
    ...clock,
    now: () => clock.now() + frozenMs,
    elapsed: () => clock.elapsed() + frozenMs,
    async advance(ms) {
      await rest();
      await clock.moveTo(startAt + clock.elapsed() + ms);
      await rest();
    },
    freeze: (ms) => {
      frozenMs += ms;
    },
  };
}

/** Lets promises and turns of the event loop run until nothing more can happen without the clock. */
export async function rest(): Promise<void> {
  for (let turns = 0; turns < 12; turns++) await kit.turn();
}
