/** Time as a dependency: the one place where the process's clocks and timers are touched. */

/** Stops what it was returned for; calling it again does nothing. */
export type Cancel = () => void;

/**
 * What a component may know about time. Stored and compared times come from the store (`Broker`), never from here.
 *
 * - `now` is the wall clock in milliseconds since the epoch: for display and log stamps only, it may jump.
 * - `elapsed` is monotonic milliseconds (fractional): for durations and local deadlines.
 * - `schedule` runs `callback` once after `delayMs` (0 or more; delays beyond the timer limit of 2^31-1 ms are
 *   re-armed, since Node fires those at once).
 */
export interface Clock {
  now(): number;
  elapsed(): number;
  schedule(delayMs: number, callback: () => void): Cancel;
}

/** setTimeout treats anything above as 1 ms. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The clock of this process. Its timers keep the process alive, as a pending piece of work should. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  schedule(delayMs, callback) {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(leftMs, 0), TIMER_MAX_MS);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};

/** Who comes later than this to what was due stood still in between, stopped or blocked. */
export const standstillMs = 250;
/** Long enough for whatever became ready meanwhile. */
const HEAR_MS = 1;

/**
 * Schedules the end of waiting for something outside this process, a message or another process's end. Like
 * `clock.schedule`, but a process that was stopped, or whose event loop was blocked, comes back with its timers first:
 * then what became ready meanwhile is heard before `expire` runs, since it may have come in time.
 */
export function scheduleDeadline(clock: Clock, delayMs: number, expire: () => void): Cancel {
  const dueMs = clock.elapsed() + delayMs;
  let cancel = clock.schedule(delayMs, () => {
    if (clock.elapsed() - dueMs <= standstillMs) expire();
    else cancel = clock.schedule(HEAR_MS, expire);
  });
  return () => cancel();
}

/**
 * Runs `callback` after everything the event loop has ready now. Not a wait: it lets finished work gather into one
 * batch and lets timers and I/O have their turn, which a chain of promises alone would never do.
 */
export function onNextTurn(callback: () => void): void {
  setImmediate(callback);
}

/** Resolves after `delayMs` of `clock`, or rejects with the signal's reason when that aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.schedule(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Monotonic milliseconds that the threads of a process have in common, where `elapsed` begins with each thread. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** An epoch time in milliseconds as a Date, for users who think in those. */
export function dateOf(atMs: number): Date {
  return new Date(atMs);
}

/** An epoch time in milliseconds as ISO 8601 text in UTC; `null` stays `null`. */
export function isoTime(atMs: number): string;
export function isoTime(atMs: number | null): string | null;
export function isoTime(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString();
}
