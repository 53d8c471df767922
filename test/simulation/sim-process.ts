/** A simulated process: its own clocks, and the ways in which it stops. Whatever reaches it comes through `deliver`. */

import type { ProcessEntry } from '../../src/checker/evidence.ts';
import { type Chance, seededChance } from '../../src/core/chance.ts';
import type { Cancel, Clock } from '../../src/core/time.ts';
import type { Timeline } from './timeline.ts';

export interface SimProcess {
  readonly name: string;
  readonly pid: number;
  readonly host: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly isAlive: boolean;
  readonly isFrozen: boolean;
  /** Runs `callback` in the process after `delayMs` of the world: later when it is frozen then, never when it is dead. */
  deliver(delayMs: number, callback: () => void): Cancel;
  /** Stops it without a word: nothing it has in memory is ever run again. */
  crash(): void;
  /** Stops it as SIGSTOP does, or a handler that computes for so long. */
  freeze(ms: number): void;
  /** Ends a freeze now; what came meanwhile is delivered in order. */
  thaw(): void;
  /** It said that it is done: whatever it asks of the store after that is a fault. */
  retire(): void;
  readonly isRetired: boolean;
  /** Moves its wall clock. */
  stepWall(ms: number): void;
  /** When it was frozen and when it died, oldest first. */
  fates(): readonly ProcessEntry[];
}

export interface SimProcessOptions {
  readonly name: string;
  readonly pid: number;
  readonly host: string;
  readonly seed: number;
  /** What its monotonic clock counts where a second of the world passes: 1 ± a few hundredths. */
  readonly rate: number;
  /** Its wall clock at the beginning, ms since the epoch. */
  readonly wallMs: number;
}

export function createProcess(timeline: Timeline, options: SimProcessOptions): SimProcess {
  const bornAt = timeline.now;
  const backlog: (() => void)[] = [];
  const freezes: { readonly from: number; to: number }[] = [];
  let diedAt = Infinity;
  let retired = false;
  let frozenUntil = -Infinity;
  let wallMs = options.wallMs;

  const isAlive = (): boolean => diedAt === Infinity;
  const isFrozen = (): boolean => frozenUntil > timeline.now;

  function arrive(callback: () => void): void {
    if (!isAlive()) return;
    if (isFrozen() || backlog.length > 0) backlog.push(callback);
    else callback();
  }

  function deliver(delayMs: number, callback: () => void): Cancel {
    let wanted = true;
    timeline.at(timeline.now + delayMs, () => arrive(() => wanted && callback()));
    return () => {
      wanted = false;
    };
  }

  /** One event after the other, so that each comes to rest before the next, as in a process that wakes up. */
  function catchUp(): void {
    if (!isAlive() || isFrozen()) return;
    const next = backlog.shift();
    if (next === undefined) return;
    next();
    timeline.at(timeline.now, catchUp);
  }

  function thawAt(at: number): void {
    frozenUntil = at;
    const freeze = freezes.at(-1);
    if (freeze !== undefined) freeze.to = at;
    timeline.at(at, catchUp);
  }

  const elapsed = (): number => (timeline.now - bornAt) * options.rate;
  return {
    name: options.name,
    pid: options.pid,
    host: options.host,
    chance: seededChance(options.seed),
    clock: {
      now: () => Math.round(wallMs + elapsed()),
      elapsed,
      // As Node's timers do: whole milliseconds, at least one.
      schedule: (delayMs, callback) => deliver(Math.max(1, Math.trunc(delayMs)) / options.rate, callback),
    },
    get isAlive() {
      return isAlive();
    },
    get isFrozen() {
      return isFrozen();
    },
    deliver,
    crash() {
      if (isAlive()) diedAt = timeline.now;
      backlog.length = 0;
    },
    freeze(ms) {
      if (!isAlive() || isFrozen()) return;
      freezes.push({ from: timeline.now, to: Infinity });
      thawAt(timeline.now + ms);
    },
    thaw() {
      if (isFrozen()) thawAt(timeline.now);
    },
    retire() {
      retired = true;
    },
    get isRetired() {
      return retired;
    },
    stepWall(ms) {
      wallMs += ms;
    },
    fates() {
      const { pid } = options;
      const entries: ProcessEntry[] = freezes.flatMap(({ from, to }) => [
        { pid, at: from, what: 'frozen' },
        { pid, at: to, what: 'thawed' },
      ]);
      return isAlive() ? entries : [...entries, { pid, at: diedAt, what: 'gone' }];
    },
  };
}
