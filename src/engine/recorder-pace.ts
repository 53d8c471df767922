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
 * While little comes the recorder looks every `limits.recordPaceMs`. What it has stored it rests from, for a multiple of the time that
 * took, less the fewer tasks it was, less the further behind it is, and not at all from `limits.recordBehindMs` on: on a busy machine a burst is worked off first and
 * recorded after, and under a steady stream the recorder is as far behind as it takes to keep up.
 */
export function createRecorderPace(clock: Clock): RecorderPace {
  let foundAt = -Infinity;
  let nextAt = -Infinity;
  return {
    found() {
      foundAt = clock.elapsed();
      nextAt = foundAt + limits.recordPaceMs;
    },
    stored({ wanted, behindMs, hasMore }) {
      const now = clock.elapsed();
      const restedAt = now + restMs(now - foundAt, behindMs, wanted);
      nextAt = hasMore ? restedAt : Math.max(nextAt, restedAt);
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
