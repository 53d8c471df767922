/** Does to the processes, and to the store, what the plan says. */

import type { Scope, Settings } from '../broker/broker.ts';
import { type Clock, sleep } from '../core/time.ts';
import type { Crew, Seat, SeatKind } from './crew.ts';
import type { Follower, Wish } from './follower.ts';
import type { Ground } from './ground.ts';
import type { Doing } from './notes.ts';
import { blocksEach, type FaultKind, type Plan, type Strike } from './plan.ts';
import { groups } from './requests.ts';
import type { Work } from './tasks/work.ts';

export interface NemesisOptions {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly crew: Crew;
  readonly follower: Follower;
  readonly ground: Ground;
  /** Enqueues a task that does something to its process. */
  readonly plant: (work: Omit<Work, 'n'>) => Promise<void>;
}

export interface Nemesis {
  /** Strikes at the planned times. Resolves at the end of the storm, or once `signal` is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** Takes back what lasts: pauses and changed limits. */
  heal(): Promise<void>;
  /** How often each kind has happened. What handlers do is counted where it is seen. */
  readonly fired: Readonly<Partial<Record<FaultKind, number>>>;
  /** Why others could not be done. */
  readonly missed: readonly string[];
}

const queues = ['default', 'bulk'] as const;
const limitNames = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((lane) => [`torture.slots:${lane}`, `torture.rated:${lane}`]);
/** How long a fault waits for somebody whom it can hit, and how often it looks. */
const victimMs = 20_000;
const lookMs = 250;
/** Handlers do it; it is counted when they say so. */
const planted: Partial<Record<FaultKind, Doing>> = { blockLoop: 'block', bombMemory: 'bomb', exitProcess: 'exit' };
const isPlanted = (kind: FaultKind): boolean => kind in planted;
const person = { by: 'torture', reason: null } as const;

export function createNemesis(options: NemesisOptions): Nemesis {
  const { plan, clock, crew, follower, ground } = options;
  const { broker } = ground.store;
  const fired: Partial<Record<FaultKind, number>> = {};
  const missed: string[] = [];
  const changed = new Set<string>();
  let stormedMs = 0;
  /** One call of a person at a time: their events come in the order of their calls. */
  let people: Promise<unknown> = Promise.resolve();

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = people.then(work);
    people = turn.catch(() => undefined);
    return turn;
  };

  /** Tries until it is done: the store may be away, locked or full. */
  async function untilDone<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      try {
        return await work();
      } catch {
        await sleep(clock, 200);
      }
    }
  }

  const storeNow = (): Promise<number> => untilDone(async () => (await broker.info()).now);

  async function configure(scope: Scope, name: string, settings: Settings): Promise<void> {
    const { pause, max, rate, weight } = settings;
    const paused = pause === undefined ? undefined : pause !== null;
    const wish: Wish = { setting: { scope, name, paused, max, rate, weight }, since: await storeNow(), until: null };
    follower.expect(wish);
    await untilDone(() => broker.configure(scope, name, settings));
    wish.until = await storeNow();
    while ((await storeNow()) <= wish.until) await sleep(clock, 1);
  }

  const pause = (scope: 'queue' | 'group', name: string, isPaused: boolean): Promise<void> =>
    inTurn(() => configure(scope, name, { pause: isPaused ? person : null }));

  const limit = (name: string, settings: Pick<Settings, 'max' | 'rate'>): Promise<void> =>
    inTurn(() => configure('limit', name, settings));

  function victim(kind: SeatKind, roll: number, hits: (seat: Seat) => boolean): boolean {
    const seats = crew.seats.filter((seat) => seat.kind === kind);
    const first = Math.floor(roll * seats.length);
    // The next one when the first is away.
    return seats.some((_, index) => hits(seats[(first + index) % seats.length] as Seat));
  }

  /** Whoever it should hit may be away, and so may the store: then it waits for them to come. */
  async function insist(one: Strike, signal: AbortSignal): Promise<boolean> {
    for (const since = clock.elapsed(); ; ) {
      const isLast = clock.elapsed() - since >= victimMs || signal.aborted;
      try {
        if (await strike(one)) return true;
      } catch (error) {
        if (isLast) throw error;
      }
      if (isLast || isPlanted(one.kind)) return false;
      await sleep(clock, lookMs);
    }
  }

  async function strike({ kind, roll, ms }: Strike): Promise<boolean> {
    switch (kind) {
      case 'killWorker':
        return victim('worker', roll, crew.kill);
      case 'killServer':
        return victim('server', roll, crew.kill);
      case 'killClient':
        return victim('client', roll, crew.kill);
      case 'freezeWorker':
        return freezeAlone('worker', roll, ms);
      case 'freezeServer':
        return freezeAlone('server', roll, ms);
      case 'freezeAnywhere':
        return victim(roll < 0.8 ? 'worker' : 'client', (roll * 10) % 1, (seat) => crew.freeze(seat, ms));
      case 'restartWorker':
        return victim('worker', roll, crew.restart);
      case 'restartServer':
        return victim('server', roll, crew.restart);
      case 'blockLoop':
        return sow({ does: 'block', ms: Math.round(ms), times: blocksEach });
      case 'bombMemory':
        return sow({ does: 'bomb', times: roll < 0.3 ? 9 : 2 });
      case 'exitProcess':
        return sow({ does: 'exit', times: roll < 0.3 ? 9 : 2 });
      case 'pauseQueue':
        return pauseFor('queue', queues[Math.floor(roll * queues.length)] as string, ms);
      case 'changeLimit':
        return changeLimit(roll);
      case 'changeGroup':
        return changeGroup(roll, ms);
      case 'cancelTasks':
        return people_(() => broker.cancel({ taskIds: someOf(follower.fresh, roll, 3), reason: 'torture' }));
      case 'retryTasks':
        return people_(() => broker.retry(someOf(follower.finished, roll, 2)));
      default:
        return ground.strike(kind, ms, roll);
    }
  }

  /** Who is stopped within a transaction stops everybody: here only the one is to fall behind. */
  async function freezeAlone(kind: SeatKind, roll: number, ms: number): Promise<boolean> {
    let hit = false;
    await ground.alone(async () => {
      hit = victim(kind, roll, (seat) => crew.freeze(seat, ms));
    });
    return hit;
  }

  async function sow(work: Omit<Work, 'n'>): Promise<boolean> {
    await options.plant(work);
    // Seen when it happens.
    return false;
  }

  const isFirstOfKind = ({ kind, atMs }: Strike, index: number, strikes: readonly Strike[]): boolean =>
    isPlanted(kind) && atMs < stormedMs && strikes.findIndex((one) => one.kind === kind) === index;

  /** Until some handler has done it. */
  async function plantAgain(one: Strike): Promise<void> {
    const doing = planted[one.kind];
    for (const since = clock.elapsed(); doing !== undefined && clock.elapsed() - since < 3 * victimMs; ) {
      for (let waitedMs = 0; follower.done[doing] === 0 && waitedMs < victimMs / 2; waitedMs += lookMs)
        await sleep(clock, lookMs);
      if (follower.done[doing] > 0) return;
      await strike(one);
    }
  }

  async function pauseFor(scope: 'queue' | 'group', name: string, ms: number): Promise<boolean> {
    await pause(scope, name, true);
    await sleep(clock, ms);
    await pause(scope, name, false);
    return true;
  }

  async function changeGroup(roll: number, ms: number): Promise<boolean> {
    const group = groups[Math.floor(roll * groups.length)] as string;
    if ((roll * 100) % 1 < 0.5) return pauseFor('group', group, ms);
    await inTurn(() => configure('group', group, { weight: 1 + Math.floor(((roll * 1_000) % 1) * 9) }));
    return true;
  }

  async function changeLimit(roll: number): Promise<boolean> {
    const name = limitNames[Math.floor(roll * limitNames.length)] as string;
    const size = 1 + Math.floor(((roll * 1_000) % 1) * 5);
    changed.add(name);
    if (name.startsWith('torture.slots')) await limit(name, { max: size });
    else await limit(name, { rate: { count: 10 * size, perMs: 1_000 } });
    return true;
  }

  async function people_(call: () => Promise<unknown>): Promise<boolean> {
    await inTurn(async () => void (await call()));
    return true;
  }

  return {
    fired,
    missed,
    async run(signal) {
      const startedAt = clock.elapsed();
      const until = (atMs: number): Promise<void> =>
        sleep(clock, Math.max(0, startedAt + atMs - clock.elapsed()), signal);
      try {
        for (const one of plan.strikes) {
          await until(one.atMs);
          // Those that last go on beside the next ones; what could not be done has not happened.
          void insist(one, signal)
            .then((happened) => {
              if (happened) fired[one.kind] = (fired[one.kind] ?? 0) + 1;
            })
            .catch((error: unknown) => void missed.push(`${one.kind}: ${String(error)}`));
        }
        await until(plan.stormMs);
      } catch {
        // Aborted: the storm is over early.
      }
      stormedMs = clock.elapsed() - startedAt;
    },
    async heal() {
      await ground.heal();
      for (const queue of queues) await pause('queue', queue, false);
      for (const group of groups) await pause('group', group, false);
      for (const name of changed) await limit(name, name.startsWith('torture.slots') ? { max: null } : { rate: null });
      // What was planted may have been cancelled, or its claims lost with their workers: it would have proved nothing.
      await Promise.all(plan.strikes.filter(isFirstOfKind).map(plantAgain));
    },
  };
}

function someOf(ids: readonly string[], roll: number, count: number): readonly string[] {
  const from = Math.floor(roll * Math.max(1, ids.length - count));
  return [...new Set(ids.slice(from, from + count))];
}
