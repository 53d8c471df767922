/** S13 for real processes: a schedule has a time each second, and each of them is fired once, whatever was away then. */

import type { Broker } from '../broker/broker.ts';
import type { Judge } from '../checker/judge.ts';
import type { EventItem } from '../core/events.ts';
import { derivedId, idTime } from '../core/ids.ts';
import { type Clock, isoTime, sleep } from '../core/time.ts';
import { tickNumber } from './numbers.ts';
import { askedOf } from './requests.ts';
import { everySecond, tick } from './tasks/work.ts';

export interface Ticks {
  /** Takes note of a stored task if it is one of the schedule's: nobody else asks for those. */
  stored(item: EventItem): void;
  /** Resolves when some worker has stored the schedule. */
  begin(broker: Broker): Promise<void>;
  /** Waits until the schedule keeps up with its time, and pauses it. */
  end(broker: Broker): Promise<void>;
  /** How many of its times were fired. */
  readonly fired: number;
  /** Tells what was left out. To be called when nothing more can come. */
  check(): void;
}

const { name } = everySecond;
const tickMs = 1_000;
const lookMs = 100;
/** How long workers may take to come, and a healed setup to catch up. */
const patienceMs = 30_000;
/** A time that has just come may not have been fired yet. */
const freshTicks = 3;

export function createTicks(judge: Judge, clock: Clock): Ticks {
  const seen = new Set<number>();
  let last = 0;

  async function until(holds: () => Promise<boolean>): Promise<void> {
    for (let waitedMs = 0; waitedMs < patienceMs && !(await holds().catch(() => false)); waitedMs += lookMs)
      await sleep(clock, lookMs);
  }

  return {
    get fired() {
      return seen.size;
    },
    stored({ taskId, name: taskName }) {
      if (taskName !== tick.name) return;
      const at = idTime(taskId);
      // Anything else is a task that nobody asked for.
      if (at % tickMs !== 0 || derivedId(at, `schedule|${name}`) !== taskId) return;
      seen.add(at / tickMs);
      const entry = { at: 0, pid: 0, taskId, n: tickNumber(at) };
      judge.client({ ...entry, step: 'invoke', asked: askedOf(tick.name, {}) });
      judge.client({ ...entry, step: 'ok' });
    },
    begin: (broker) => until(async () => (await broker.schedules.get([name]))[0] != null),
    async end(broker) {
      await until(async () => {
        const [[schedule], { now }] = await Promise.all([broker.schedules.get([name]), broker.info()]);
        return (schedule?.next?.dueAt ?? 0) > now;
      });
      last = Math.floor((await broker.info()).now / tickMs);
      await broker.schedules.pause([name], { by: 'torture', reason: null });
    },
    check() {
      const first = seen.values().reduce((one, other) => Math.min(one, other), last);
      if (seen.size === 0) judge.tell('S13', null, `${name} never fired`);
      for (let at = first; at <= last - freshTicks; at++)
        if (!seen.has(at)) judge.tell('S13', null, `${name} was not fired for ${isoTime(at * tickMs)}`);
    },
  };
}
