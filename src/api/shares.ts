/** Whose request is begun next where many come at once: who asks for a thousand things keeps nobody from asking for one. */

import { limits } from '../core/limits.ts';
import { type Clock, onNextTurn } from '../core/time.ts';
import { createBacklog } from './backlog.ts';

export interface Shares {
  /** Begins work for a caller at once, or when it is their turn again; what goes on is begun before what is new of the same caller. */
  begin(caller: string, work: () => void, goesOn?: boolean): void;
  /** Notes that somebody asks for something, much or little. Who it is is asked for only where that matters. */
  asked(callerOf: () => string): void;
}

type Now = Pick<Clock, 'elapsed' | 'schedule'>;

/**
 * A store in this process works while everybody else waits, so that a thousand lists of one caller would be made one behind the other
 * before anybody else is looked at. In a turn of the event loop each caller begins work for `limits.turnShareMs`, and one piece in any case;
 * what they ask beyond waits. What waits is begun one piece after the other, callers by turns, for as long in all. While others ask, the loop
 * then is theirs for so long that what they ask meets such work for `limits.turnDelayMs` on average: the longer a piece, the rarer.
 */
export function createShares(clock: Now, nextTurn = onNextTurn): Shares {
  /** When the first request of each caller was begun in this turn. */
  const begunAt = new Map<string, number>();
  const backlog = createBacklog();
  /** Who asked last of those that have nothing waiting. */
  let other: { readonly caller: string; readonly at: number } | null = null;
  /** The last time that something was begun of what waited. */
  let last = { endedAt: 0, tookMs: 0 };
  let isTurnEnding = false;
  let isGoingOn = false;

  function hasShare(caller: string): boolean {
    const at = begunAt.get(caller);
    if (at !== undefined) return clock.elapsed() - at < limits.turnShareMs;
    begunAt.set(caller, clock.elapsed());
    if (isTurnEnding) return true;
    isTurnEnding = true;
    nextTurn(() => {
      isTurnEnding = false;
      begunAt.clear();
    });
    return true;
  }

  function goOnSoon(): void {
    if (isGoingOn || backlog.size === 0) return;
    isGoingOn = true;
    nextTurn(goOn);
  }

  /** Behind what has come by then of others. */
  function goOn(): void {
    const restMs = restOf(clock.elapsed());
    if (restMs > 0) return void clock.schedule(restMs, () => nextTurn(goOn));
    let beganAt: number | null = null;
    const beginNext = (): void => {
      beganAt ??= clock.elapsed();
      if (clock.elapsed() - beganAt < limits.turnShareMs) backlog.take()?.();
    };
    // Each on its own, so that one is done before the clock is looked at for the next.
    for (let count = Math.min(backlog.size, limits.turnRequestsMax); count > 0; count--) nextTurn(beginNext);
    nextTurn(() => {
      const endedAt = clock.elapsed();
      last = { endedAt, tookMs: endedAt - (beganAt ?? endedAt) };
      isGoingOn = false;
      goOnSoon();
    });
  }

  /** For how long the loop still is others' alone. */
  function restOf(now: number): number {
    if (other === null || now - other.at > limits.turnPresenceMs) return 0;
    return last.endedAt + restAfter(last.tookMs) - now;
  }

  return {
    asked(callerOf) {
      if (backlog.size === 0) return;
      const caller = callerOf();
      if (!backlog.has(caller)) other = { caller, at: clock.elapsed() };
    },
    begin(caller, work, goesOn = false) {
      if (!backlog.has(caller) && hasShare(caller)) return work();
      backlog.add(caller, work, goesOn);
      if (other?.caller === caller) other = null;
      goOnSoon();
    },
  };
}

/** Who comes at any time meets work of that length that often, and then waits for half of it. */
function restAfter(tookMs: number): number {
  const everyMs = tookMs ** 2 / (2 * limits.turnDelayMs);
  return Math.min(everyMs - tookMs, tookMs * limits.turnRestFactorMax);
}
