/** Commands about schedules: two of them, whose next times the book follows by the answers. */

import fc, { type Arbitrary } from 'fast-check';
import type { FireResult, PutResult } from '../../src/broker/broker.ts';
import { type Firing, hasSameTimes } from '../../src/core/schedule.ts';
import type { NewTask } from '../../src/core/task.ts';
import { startAt } from '../conformance/samples.ts';
import { firedTask, newSchedule, storedSchedule } from '../conformance/schedule-samples.ts';
import type { Book } from './book.ts';
import { type Command, callCommand } from './command.ts';

const schedule = fc.constantFrom('s', 't');
const stepMs = 1_000;

const put = fc
  .tuple(schedule, fc.constantFrom('{}', '{"v":2}', '{"timing":1}'), fc.constantFrom(null, 1, 5, 300))
  .map(([name, definition, steps]) =>
    callCommand<readonly PutResult[]>(
      `PutSchedule ${name} ${definition} ${steps}`,
      () => {
        const next = steps === null ? null : { at: startAt + steps * stepMs, dueAt: startAt + steps * stepMs * 1.5 };
        return (broker) => broker.schedules.put([newSchedule(name, { definition, next })]);
      },
      (book, [result]) => {
        const version = (book.schedules.get(name)?.version ?? 0) + 1;
        const known = book.schedules.get(name);
        const keepsNext = known !== undefined && hasSameTimes(known.definition, definition);
        const at = keepsNext ? known.at : steps === null ? null : startAt + steps * stepMs;
        if (result !== 'unchanged') book.schedules.set(name, { version, at, definition });
      },
    ),
  );

interface FireGiven {
  readonly name: string;
  readonly kind: 'fire' | 'fire twice' | 'skip' | 'ask';
  readonly alone: boolean;
  /** Sent by somebody who knows an older version or another time. */
  readonly stale: 'no' | 'version' | 'time';
  readonly key: string | null;
  readonly ifExists: NewTask['ifExists'];
}

const fireGiven: Arbitrary<FireGiven> = fc.record({
  name: schedule,
  kind: fc.constantFrom('fire', 'fire', 'fire', 'fire twice', 'skip', 'ask'),
  alone: fc.boolean(),
  stale: fc.constantFrom('no', 'no', 'no', 'version', 'time'),
  key: fc.constantFrom(null, null, 'k'),
  ifExists: fc.constantFrom('return', 'replace', 'error'),
});

/** Due or not: a store fires what it is told. */
const fire = fireGiven.map((given) => {
  let firings: readonly Firing[] = [];
  return callCommand<readonly FireResult[]>(
    `Fire ${JSON.stringify(given)}`,
    (book) => {
      firings = firingsOf(book, given);
      book.tasks.push(...firings.flatMap((firing) => ('task' in firing ? [firing.task] : [])));
      return (broker) => broker.schedules.fire(firings);
    },
    (book, results) => {
      for (const [index, firing] of firings.entries()) {
        const known = book.schedules.get(firing.schedule);
        const outcome = results[index]?.outcome;
        if (firing.kind === 'ask' || known === undefined || outcome === 'moved' || outcome === 'unknown') continue;
        book.schedules.set(firing.schedule, { ...known, at: firing.next?.at ?? null });
      }
    },
  );
});

function firingsOf(book: Book, { name, kind, alone, stale, key, ifExists }: FireGiven): readonly Firing[] {
  const known = book.schedules.get(name);
  const version = (known?.version ?? 1) + (stale === 'version' ? 1 : 0);
  const at = (known?.at ?? startAt) + (stale === 'time' ? 1 : 0);
  const next = { at: at + stepMs, dueAt: at + stepMs * 1.5 };
  const task = firedTask(name, at, { key, ifExists, queue: 'a' });
  const due: Firing = { kind: 'fire', schedule: name, version, at, next, task, alone };
  if (kind === 'fire') return [due];
  if (kind === 'skip') return [{ kind, schedule: name, version, at, next, until: null, count: 1 }];
  if (kind === 'ask') return [{ kind, schedule: name, at, task }];
  const later = { at: next.at + stepMs, dueAt: next.at + stepMs };
  return [due, { ...due, at: next.at, next: later, task: firedTask(name, next.at, { queue: 'a' }) }];
}

const pause = fc
  .tuple(schedule, fc.boolean())
  .map(([name, pauses]) =>
    callCommand(
      `PauseSchedule ${name} ${pauses}`,
      () => (broker) => broker.schedules.pause([name], pauses ? { by: 'ada', reason: 'why' } : null),
    ),
  );

const restore = schedule.map((name) => {
  const at = startAt + 7 * stepMs;
  return callCommand<number>(
    `RestoreSchedule ${name}`,
    () => (broker) =>
      broker.schedules.restore([storedSchedule(name, { version: 4, lastTaskId: 'x', next: { at, dueAt: at } })]),
    (book, count) => {
      const { definition } = storedSchedule(name);
      if (count === 1) book.schedules.set(name, { version: 4, at, definition });
    },
  );
});

const remove = schedule.map((name) =>
  callCommand(
    `DeleteSchedule ${name}`,
    () => (broker) => broker.schedules.delete([name, 'x']),
    (book) => book.schedules.delete(name),
  ),
);

const due = fc
  .constantFrom(1, 10)
  .map((limit) => callCommand(`DueSchedules ${limit}`, () => (broker) => broker.schedules.due(limit)));

export const scheduleCommands: readonly Arbitrary<Command>[] = [
  put,
  put,
  fire,
  fire,
  fire,
  pause,
  restore,
  remove,
  due,
];
