/** When the recorder looks again: soon enough for people to see what happens, and no sooner than whoever works can spare. */

import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

export interface RecorderPace {
  /** Something was found. */
  found(): void;
  /** What was found is stored; the oldest of it was `behindMs` old then, and `hasMore` says that more waits already. */
  stored(stored: { readonly behindMs: number; readonly hasMore: boolean }): void;
  /** Time until the next look. */
  leftMs(): number;
}

/**
 * While little comes the recorder looks every `limits.recordPaceMs`. What it has stored it rests from, for a multiple of the time that
 * took, less the further behind it is, and not at all from `limits.recordBehindMs` on: on a busy machine a burst is worked off first and
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
    stored({ behindMs, hasMore }) {
      const now = clock.elapsed();
      const restedAt = now + restMs(now - foundAt, behindMs);
      nextAt = hasMore ? restedAt : Math.max(nextAt, restedAt);
    },
    leftMs: () => nextAt - clock.elapsed(),
  };
}

/** Work is counted as time that passed: where it waits for a processor that others use, it rests longer too. */
export function restMs(workedMs: number, behindMs: number): number {
  const spareMs = Math.max(0, limits.recordBehindMs - Math.max(0, behindMs));
  return Math.min(spareMs, (restsMax * workedMs * spareMs) / limits.recordBehindMs);
}

/** Up to date, it works a tenth of the time. */
const restsMax = 9;
