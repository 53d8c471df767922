/** Whose request is begun next where many come at once: who asks for a thousand things keeps nobody from asking for one. */

import { limits } from '../core/limits.ts';
import { type Clock, onNextTurn } from '../core/time.ts';

export interface Shares {
  /** Begins work for a caller at once, or when it is their turn again. */
  begin(caller: string, work: () => void): void;
}

/**
 * A store in this process works while everybody else waits, so that a thousand lists of one caller would be made one behind the other
 * before anybody else is looked at. In a turn of the event loop each caller begins work for `limits.turnShareMs`, and one piece in any case;
 * what they ask beyond waits for the next turn, in which others come before it.
 */
export function createShares(clock: Pick<Clock, 'elapsed'>, nextTurn = onNextTurn): Shares {
  /** When the first request of each caller was begun in this turn. */
  const begunAt = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  let isArmed = false;

  function hasShare(caller: string): boolean {
    const at = begunAt.get(caller);
    if (at !== undefined) return clock.elapsed() - at < limits.turnShareMs;
    begunAt.set(caller, clock.elapsed());
    return true;
  }

  /** Runs at the end of a turn: what waits is begun at the end of the next one, behind what has come by then of others. */
  function turn(): void {
    isArmed = false;
    begunAt.clear();
    if (waiting.size === 0) return;
    // Each on its own, so that one is done before the clock is looked at for the next.
    for (let round = 0; round < limits.turnRequestsMax; round++)
      for (const [caller, works] of waiting) if (round < works.length) nextTurn(() => goOn(caller));
    arm();
  }

  function goOn(caller: string): void {
    const works = waiting.get(caller);
    if (works === undefined || !hasShare(caller)) return;
    const work = works.shift();
    if (works.length === 0) waiting.delete(caller);
    work?.();
  }

  function arm(): void {
    if (isArmed) return;
    isArmed = true;
    nextTurn(turn);
  }

  return {
    begin(caller, work) {
      arm();
      const works = waiting.get(caller);
      if (works !== undefined) works.push(work);
      else if (hasShare(caller)) work();
      else waiting.set(caller, [work]);
    },
  };
}
