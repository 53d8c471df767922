/** Turns of the event loop, as those who start handlers share them with heartbeats. */

import { limits } from '../core/limits.ts';
import { type Clock, onNextTurn } from '../core/time.ts';

/**
 * Keeps handlers that compute without waiting from starting one behind the other for so long that no heartbeat gets
 * its turn. `isLong` is true when handlers have been starting for `limits.turnMs` in this turn of the event loop.
 */
export function createTurn(clock: Pick<Clock, 'elapsed'>): { isLong(): boolean; next(): Promise<void> } {
  let startedAt: number | null = null;
  const next = (): Promise<void> => new Promise((resolve) => onNextTurn(resolve));
  const isLong = (): boolean => {
    if (startedAt !== null) return clock.elapsed() - startedAt > limits.turnMs;
    startedAt = clock.elapsed();
    onNextTurn(() => {
      startedAt = null;
    });
    return false;
  };
  return { isLong, next };
}
