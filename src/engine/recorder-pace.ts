/** When the recorder looks again: soon enough for people to see what happens, and no sooner than whoever works can spare. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

export interface RecorderPace {
  /** Something was found. */
  found(): void;
  /**
   * What was found is stored: so many tasks were `wanted` of the live store. The oldest of it was `behindMs` old then, and `hasMore` says that
   * more waits already.
   */
  stored(stored: Stored): void;
  /** Time until the next look. */
  leftMs(): number;
}

export interface Stored {
  readonly wanted: number;
  readonly behindMs: number;
  readonly hasMore: boolean;
}

/**
 * While little comes the recorder looks every `limits.recordPaceMs`. What it has stored of a burst it rests from, for a multiple of the time that
 * took, less the fewer tasks it was, less the further behind it is, and not at all from `limits.recordBehindMs` on: on a busy machine a
 * burst is worked off first and recorded after. One that goes on for longer is a stream, of which nothing is gained by being late: the
 * rests of a burst are as long together as one may be, and from then on it is recorded as it comes.
 */
export function createRecorderPace(clock: Clock): RecorderPace {
  let foundAt = -Infinity;
  let nextAt = -Infinity;
  let restsLeftMs: number = limits.recordBehindMs;
  return {
    found() {
      foundAt = clock.elapsed();
      nextAt = foundAt + limits.recordPaceMs;
    },
    stored({ wanted, behindMs, hasMore }) {
      const now = clock.elapsed();
      const isBurst = hasMore || wanted >= manyTasks;
      if (!isBurst) restsLeftMs = limits.recordBehindMs;
      const rest = Math.min(restsLeftMs, restMs(now - foundAt, behindMs, wanted));
      if (isBurst) restsLeftMs -= rest;
      nextAt = hasMore ? now + rest : Math.max(nextAt, now + rest);
    },
    leftMs: () => nextAt - clock.elapsed(),
  };
}

/**
 * Work is counted as time that passed: where it waits for a processor that others use, it rests longer too. For the few tasks of a trickle
 * it waits for the disk and the network most of all, and takes nothing from anybody.
 */
export function restMs(workedMs: number, behindMs: number, tasks: number): number {
  const spareMs = Math.max(0, limits.recordBehindMs - Math.max(0, behindMs));
  const share = Math.min(1, tasks / manyTasks);
  return Math.min(spareMs, (restsMax * share * workedMs * spareMs) / limits.recordBehindMs);
}

/** From so many on work is that of a burst. */
const manyTasks = 1_000;

/** Up to date, it works a tenth of the time. */
const restsMax = 9;
