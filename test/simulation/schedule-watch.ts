/** The witness's look at the calls about schedules: what each did, for the book that judges it. */

import type { FireResult, PutResult, Schedules } from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import { type Firing, hasSameTimes, type NewSchedule, parseSchedule } from '../../src/core/schedule.ts';
import type { NewTask } from '../../src/core/task.ts';
import { createScheduleBook } from './schedule-book.ts';
import type { Method } from './witness.ts';

type ScheduleMethod = Extract<Method, `schedules.${string}`>;

export interface ScheduleWatch {
  /** To be called before the call is executed; what it answers, after it, with the answer and the store's time. */
  before(method: ScheduleMethod, given: readonly unknown[]): (answer: unknown, now: number) => void;
  stepped(ms: number): void;
  end(now: number): void;
}

export interface ScheduleWatchOptions {
  /** A clock that nobody steps. */
  readonly elapsed: () => number;
  readonly tell: Tell;
  /** Whether a task is unfinished. */
  readonly isOpen: (taskId: string) => boolean;
  readonly onFired: (task: NewTask) => void;
}

export function isOfSchedules(method: Method): method is ScheduleMethod {
  return method.startsWith('schedules.');
}

export function watchSchedules({ elapsed, tell, isOpen, onFired }: ScheduleWatchOptions): ScheduleWatch {
  const book = createScheduleBook(tell, elapsed);
  const known = new Map<string, Pick<NewSchedule, 'definition' | 'next'>>();
  const lastTasks = new Map<string, string>();
  let now = 0;

  function put(schedules: readonly NewSchedule[], results: readonly PutResult[]): void {
    for (const [index, { name, definition, next }] of schedules.entries()) {
      if (results[index] === 'unchanged') continue;
      const former = known.get(name);
      const stored = former !== undefined && hasSameTimes(former.definition, definition) ? former.next : next;
      known.set(name, { definition, next: stored });
      book.take({ schedule: name, now, did: 'put', definition: parseSchedule(definition), next: stored?.at ?? null });
    }
  }

  function fire(firings: readonly Firing[], results: readonly FireResult[], unfinished: Set<string>): void {
    for (const [index, firing] of firings.entries()) {
      const result = results[index];
      if (result === undefined || result.outcome === 'moved' || result.outcome === 'unknown') continue;
      note(firing, result, unfinished);
      if (result.outcome !== 'fired') continue;
      // What was fired in this call is unfinished for the rest of it.
      unfinished.add(result.taskId);
      lastTasks.set(firing.schedule, result.taskId);
      if (result.created && firing.kind !== 'skip') onFired(firing.task);
    }
  }

  function note(firing: Firing, result: FireResult, unfinished: Set<string>): void {
    if (firing.kind === 'ask') return;
    const { schedule, at, next } = firing;
    const entry = known.get(schedule);
    const dueAt = entry?.next?.at === at ? entry.next.dueAt : at;
    if (entry !== undefined) known.set(schedule, { ...entry, next });
    const lastTask = lastTasks.get(schedule);
    const isBusy = lastTask !== undefined && unfinished.has(lastTask);
    const fact = { schedule, now, at, next: next?.at ?? null, isBusy };
    if (result.outcome === 'fired') book.take({ ...fact, did: 'fire', dueAt, taskId: result.taskId });
    else
      book.take({
        ...fact,
        did: 'skip',
        reason: result.outcome === 'overlapping' ? 'overlap' : result.outcome === 'skipped' ? result.reason : 'missed',
      });
  }

  return {
    before(method, given) {
      if (method === 'schedules.fire') {
        const [firings] = given as Parameters<Schedules['fire']>;
        const unfinished = new Set([...lastTasks.values()].filter(isOpen));
        return (answer, at) => {
          now = at;
          fire(firings, answer as readonly FireResult[], unfinished);
        };
      }
      return (answer, at) => {
        now = at;
        if (method === 'schedules.put') put(...(given as Parameters<Schedules['put']>), answer as readonly PutResult[]);
        if (method === 'schedules.pause') {
          const [names, pause] = given as Parameters<Schedules['pause']>;
          for (const schedule of names) book.take({ schedule, now, did: 'pause', paused: pause !== null });
        }
        if (method !== 'schedules.delete') return;
        for (const name of (given as Parameters<Schedules['delete']>)[0]) {
          known.delete(name);
          lastTasks.delete(name);
          book.take({ schedule: name, now, did: 'delete' });
        }
      };
    },
    stepped: book.stepped,
    end: (at) => book.end(at),
  };
}
