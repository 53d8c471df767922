/** restore, of tasks with limits, parents and children. */

import fc, { type Arbitrary } from 'fast-check';
import { asSet } from '../../src/core/dependencies.ts';
import type { NewTask } from '../../src/core/task.ts';
import { newTask, startAt, storedTask } from '../conformance/samples.ts';
import { freshId, recent } from './book.ts';
import { callCommand } from './command.ts';
import { known, relatives } from './flow-commands.ts';

const back = fc.nat({ max: 6 });
const queue = fc.constantFrom('a', 'b');

/** One name with several maxima, one with its maximum left to people, and one whose rate never changes. */
export const rules: Arbitrary<NewTask['limits']> = fc.constantFrom<NewTask['limits']>(
  [],
  [],
  [],
  [{ name: 'one', max: 1, rate: null }],
  [{ name: 'one', max: 2, rate: null }],
  [
    { name: 'one', max: 1, rate: null },
    { name: 'two', max: 2, rate: { count: 1, perMs: 3_000 } },
  ],
  [{ name: 'two', max: null, rate: null }],
  [{ name: 'steady', max: null, rate: { count: 2, perMs: 7_000 } }],
  [
    { name: 'steady', max: 3, rate: { count: 2, perMs: 7_000 } },
    { name: 'two', max: 3, rate: null },
  ],
);

export const restore = fc
  .tuple(
    fc.constantFrom('blocked', 'scheduled', 'queued', 'succeeded'),
    fc.constantFrom(null, null, 'k', 'l'),
    queue,
    rules,
    relatives,
    fc.constantFrom(null, null, 'g', 'h'),
  )
  .map(([state, key, name, limitRules, parents, group]) =>
    callCommand(`Restore ${state} ${key} ${name} ${JSON.stringify([limitRules, parents, group])}`, (book) => {
      // What is blocked waits for a parent that a later call may restore, or enqueue.
      const dependsOn = [...known(book, parents)];
      if (state === 'blocked') {
        book.awaited.push(freshId(book));
        dependsOn.push({ taskId: book.awaited.at(-1) ?? '', onFailure: 'fail' });
      }
      for (const { taskId } of dependsOn) book.restored.add(taskId);
      const task = newTask(freshId(book), { key, queue: name, group });
      book.tasks.push(task);
      const ended = state === 'succeeded' ? { finishedAt: startAt, pruneAt: startAt + 100_000 } : {};
      const given = {
        state,
        key,
        group,
        queue: name,
        version: 4,
        limits: limitRules,
        dependsOn: asSet(dependsOn),
        ...ended,
      };
      return (broker) => broker.restore([storedTask(task.id, given)]);
    }),
  );

export const restoreAwaited = fc.tuple(back, fc.constantFrom('succeeded', 'failed', 'queued')).map(([index, state]) =>
  callCommand(`RestoreAwaited ${index} ${state}`, (book) => {
    const id = recent(book.awaited, index);
    if (id === undefined) return null;
    const ended = state === 'queued' ? {} : { finishedAt: startAt, pruneAt: startAt + 100_000 };
    book.awaited.splice(book.awaited.indexOf(id), 1);
    book.tasks.push(newTask(id, { queue: 'a' }));
    return (broker) => broker.restore([storedTask(id, { state, queue: 'a', ...ended })]);
  }),
);

/** The plain way in, and the one with a key. */
export const enqueueAwaited = fc.tuple(back, fc.constantFrom(null, 'k')).map(([index, key]) =>
  callCommand(`EnqueueAwaited ${index} ${key}`, (book) => {
    const id = recent(book.awaited, index);
    if (id === undefined) return null;
    book.awaited.splice(book.awaited.indexOf(id), 1);
    const task = newTask(id, { queue: 'a', key });
    book.tasks.push(task);
    return (broker) => broker.enqueue([task]);
  }),
);
