/** The only loop shape: a named, bounded tick that repeats, backs off when its store fails, and stops when told. */

import type { Chance } from '../core/chance.ts';
import { limits } from '../core/limits.ts';
import { type Cancel, type Clock, onNextTurn } from '../core/time.ts';

/** What a tick says about what comes next: more is waiting (run again at once), or nothing is. */
export type TickResult = 'full' | 'done';

/** Something people should know about a loop. `failures` counts the ticks that failed in a row. */
export type ServiceReport =
  | { readonly kind: 'failed'; readonly service: string; readonly error: unknown; readonly failures: number }
  | { readonly kind: 'recovered'; readonly service: string; readonly failures: number };

export type Report = (report: ServiceReport) => void;

export interface ServiceOptions {
  readonly name: string;
  /** Time between the end of a tick and the next; spread by ± 10 %, so that processes do not move in step. */
  readonly periodMs: number | (() => number);
  /** Time to a tick that is due before the period ends, exact and not spread; `Infinity` for none. Asked after each tick. */
  readonly dueMs?: () => number;
  /** Must be bounded. Whatever it throws is reported and tried again, later each time. */
  readonly tick: (signal: AbortSignal) => Promise<TickResult>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly report: Report;
  /** Longest wait after failures; `limits.backoffMaxMs` when left out. */
  readonly backoffMaxMs?: number;
}

/** A running loop. It never dies of an error: only `stop` ends it. */
export interface Service {
  readonly name: string;
  /** Runs the first tick at once. Starting twice is one start; a stopped service may be started again. */
  start(): void;
  /** Runs a tick at once, or again after the one in flight. Ignored while backing off: the store needs the rest. */
  wake(): void;
  /** Like `wake`, but not before `delayMs` have passed. Only the earliest is kept, and only until the next tick. */
  wakeIn(delayMs: number): void;
  /** Aborts the signal and resolves when the tick in flight has ended. Stopping twice is one stop. */
  stop(): Promise<void>;
}

const backoffFirstMs = 100;
const jitter = 0.1;

export function createService(options: ServiceOptions): Service {
  const { clock, chance } = options;
  let controller: AbortController | null = null;
  let ending: Promise<void> = Promise.resolve();
  let ticking = false;
  let again = false;
  let turnAsked = false;
  let failures = 0;
  let cancelTimer: Cancel | null = null;
  let timerAt = Infinity;

  function start(): void {
    if (controller !== null) return;
    const mine = new AbortController();
    controller = mine;
    failures = 0;
    again = false;
    // A tick of an earlier life may still be in flight: two at once would break every promise of the loop.
    void ending.then(() => {
      if (controller === mine) run(mine);
    });
  }

  function run(mine: AbortController): void {
    disarm();
    again = false;
    ticking = true;
    ending = tick(mine.signal).then((waitAfter) => {
      // In one turn with the end of the tick: who wakes it in between would be heard by nobody.
      ticking = false;
      if (controller !== mine) return;
      const waitMs = waitAfter();
      if (failures === 0 && (again || waitMs === 0)) askForTurn();
      else arm(waitMs);
    });
  }

  /** Answers what tells how long to wait. */
  async function tick(signal: AbortSignal): Promise<() => number> {
    try {
      const result = await options.tick(signal);
      if (failures > 0) options.report({ kind: 'recovered', service: options.name, failures });
      failures = 0;
      return () => (result === 'full' ? 0 : Math.min(spread(periodMs()), Math.max(1, options.dueMs?.() ?? Infinity)));
    } catch (error) {
      if (signal.aborted) return () => 0;
      failures += 1;
      options.report({ kind: 'failed', service: options.name, error, failures });
      return () =>
        spread(Math.min(backoffFirstMs * 2 ** Math.min(failures - 1, 20), options.backoffMaxMs ?? limits.backoffMaxMs));
    }
  }

  /** Not at once but on the next turn of the event loop: what finishes together is handled together. */
  function askForTurn(): void {
    if (turnAsked) return;
    turnAsked = true;
    onNextTurn(() => {
      turnAsked = false;
      if (ticking) again = true;
      else if (controller !== null && failures === 0) run(controller);
    });
  }

  function wake(): void {
    if (controller === null || failures > 0) return;
    if (ticking) again = true;
    else askForTurn();
  }

  function wakeIn(delayMs: number): void {
    if (controller === null || failures > 0 || ticking) return;
    if (clock.elapsed() + delayMs < timerAt) arm(delayMs);
  }

  function arm(delayMs: number): void {
    disarm();
    timerAt = clock.elapsed() + delayMs;
    cancelTimer = clock.schedule(delayMs, () => {
      if (controller !== null && !ticking) run(controller);
    });
  }

  function disarm(): void {
    cancelTimer?.();
    cancelTimer = null;
    timerAt = Infinity;
  }

  function stop(): Promise<void> {
    controller?.abort();
    controller = null;
    disarm();
    return ending;
  }

  const periodMs = (): number => (typeof options.periodMs === 'number' ? options.periodMs : options.periodMs());
  const spread = (ms: number): number => ms * (1 - jitter + 2 * jitter * chance.float());

  return { name: options.name, start, wake, wakeIn, stop };
}
