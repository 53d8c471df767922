/** What one seed decides before anything happens: who is there, which faults are on, and how strong each is. */

import { type Chance, seededChance } from '../../src/core/chance.ts';
import { calmRates, type NetworkRates } from './network.ts';

export interface Swarm {
  readonly servers: number;
  readonly workers: number;
  readonly producers: number;
  readonly people: number;
  /** Schedules that somebody deploys: as many at most. */
  readonly schedules: number;
  /** Enqueued in all, and the time over which clients act. */
  readonly tasks: number;
  readonly safetyMs: number;
  readonly leaseMs: number;
  readonly rates: NetworkRates;
  /** Mean time between two of each, ms; `Infinity` is never. */
  readonly crashEveryMs: number;
  readonly freezeEveryMs: number;
  readonly stopEveryMs: number;
  readonly outageEveryMs: number;
  readonly outageMaxMs: number;
  readonly storeStepEveryMs: number;
  readonly wallStepEveryMs: number;
  /** Whether process clocks are wrong by days, and count too fast or too slow. */
  readonly skewed: boolean;
  readonly drifting: boolean;
  /** Whether handlers do the rude things: ignore aborts, hang, block, end their process. */
  readonly rude: boolean;
  /** Share of the tasks of which a success does not count after their cancellation was asked for. */
  readonly strict: number;
  /** Share of the tasks that wait for others. */
  readonly chained: number;
  /** Share of the tasks whose runs bring others along, that block others, and that are parts of flows. */
  readonly families: number;
}

/** One number between two, small ones more often. */
export function between(chance: Chance, min: number, max: number): number {
  return min + (max - min) * chance.float();
}

/** A whole number from `min` to `max`. */
export function whole(chance: Chance, min: number, max: number): number {
  return min + Math.floor(chance.float() * (max - min + 1));
}

export function pick<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[Math.floor(chance.float() * items.length)]!;
}

/** Time to the next of events that come `everyMs` apart on average. */
export function nextIn(chance: Chance, everyMs: number): number {
  return -Math.log(1 - chance.float()) * everyMs;
}

export function drawSwarm(seed: number): Swarm {
  const chance = seededChance(seed * 2 + 1);
  const isCalm = chance.float() < 0.1;
  const isOn = (): boolean => chance.float() < 0.4 && !isCalm;
  const rate = (max: number): number => (isOn() ? max * chance.float() ** 2 : 0);
  const every = (minMs: number, maxMs: number): number => (isOn() ? between(chance, minMs, maxMs) : Infinity);
  return {
    servers: whole(chance, 0, 2),
    workers: whole(chance, 1, 4),
    producers: whole(chance, 1, 3),
    people: whole(chance, 0, 3),
    schedules: whole(chance, 0, 2),
    tasks: whole(chance, 10, 60),
    safetyMs: between(chance, 20_000, 150_000),
    leaseMs: pick(chance, [2_000, 5_000, 10_000, 30_000]),
    rates: {
      ...calmRates,
      requestLost: rate(0.3),
      replyLost: rate(0.3),
      slow: rate(0.3),
      slowMaxMs: pick(chance, [50, 500, 5_000, 20_000]),
      hangs: rate(0.05),
      resent: rate(0.2),
      late: rate(0.1),
      diesAtReply: rate(0.02),
      hintLost: isOn() ? pick(chance, [0.3, 1]) : 0,
      hintLate: rate(1),
    },
    crashEveryMs: every(3_000, 40_000),
    freezeEveryMs: every(3_000, 40_000),
    stopEveryMs: every(10_000, 60_000),
    outageEveryMs: every(10_000, 60_000),
    outageMaxMs: pick(chance, [1_000, 10_000, 60_000]),
    storeStepEveryMs: every(15_000, 80_000),
    wallStepEveryMs: every(5_000, 30_000),
    skewed: isOn(),
    drifting: isOn(),
    rude: isOn() || isOn(),
    strict: 0.2,
    chained: chance.float() < 0.4 ? between(chance, 0.1, 0.6) : 0,
    families: chance.float() < 0.25 ? between(chance, 0.2, 0.6) : 0,
  };
}
