/** Commands about tasks that wait for each other. */

import fc, { type Arbitrary } from 'fast-check';
import type { Dependency, NewTask, OnFailure } from '../../src/core/task.ts';
import { newTask } from '../conformance/samples.ts';
import { type Book, freshId, recent } from './book.ts';
import { callCommand } from './command.ts';

const back = fc.nat({ max: 6 });
const queue = fc.constantFrom('a', 'b');
const delayMs = fc.constantFrom(0, 0, 10, 5_000);
const maybe = <Value>(...values: Value[]): Arbitrary<Value | null> => fc.constantFrom(null, null, ...values);

const onFailure = fc.constantFrom('fail', 'cancel', 'ignore');
const flowId = maybe('f', 'g');
/** How far back a parent, or a task to block, was sent, and the policy between them. */
export const relatives = fc.array(fc.tuple(back, onFailure), { maxLength: 3 });
type Relatives = readonly (readonly [index: number, onFailure: OnFailure])[];

export function known(book: Book, relativesGiven: Relatives): readonly Dependency[] {
  return relativesGiven.flatMap(([index, policy]) => {
    const task = recent(book.tasks, index);
    return task === undefined ? [] : [{ taskId: task.id, onFailure: policy }];
  });
}

export const linkedGiven = fc.record({
  dependsOn: relatives,
  blocks: relatives,
  flowId,
  queue,
  delayMs,
  startWithinMs: maybe(100, 40_000),
  expiresInMs: maybe(60_000),
  key: maybe('k', 'l'),
  ifExists: fc.constantFrom('return', 'replace', 'error'),
  keepMs: fc.constantFrom(0, 100_000),
  group: maybe('g', 'h'),
  reach: fc.constantFrom<undefined | string[]>(undefined, undefined, undefined, ['a']),
});
export type LinkedGiven = typeof linkedGiven extends Arbitrary<infer Given> ? Given : never;

export function linkedTask(book: Book, { dependsOn, blocks, ...given }: LinkedGiven): NewTask {
  return newTask(freshId(book), { ...given, dependsOn: known(book, dependsOn), blocks: known(book, blocks) });
}

export const enqueueLinked = linkedGiven.map((given) =>
  callCommand(`EnqueueLinked ${JSON.stringify(given)}`, (book) => {
    const task = linkedTask(book, given);
    book.tasks.push(task);
    return (broker) => broker.enqueue([task]);
  }),
);

/** A call of several tasks, each linked to any of them, loops among them too, and to tasks from before. */
export const enqueueFlow = fc
  .tuple(fc.array(linkedGiven, { minLength: 2, maxLength: 4 }), fc.array(fc.tuple(fc.nat(3), fc.nat(3), onFailure)))
  .map(([givens, inner]) =>
    callCommand(`EnqueueFlow ${JSON.stringify(givens)} ${JSON.stringify(inner)}`, (book) => {
      const tasks = givens.map((given) => linkedTask(book, given));
      for (const [child, parent, policy] of inner.slice(0, 3)) {
        const [task, of] = [tasks[child], tasks[parent]];
        if (task === undefined || of === undefined) continue;
        tasks[child] = { ...task, dependsOn: [...task.dependsOn, { taskId: of.id, onFailure: policy }] };
      }
      book.tasks.push(...tasks);
      return (broker) => broker.enqueue(tasks);
    }),
  );

/** Another task under an id that was sent before: a conflict while that task is there, a newcomer in its place when it is gone. */
export const enqueueOver = fc.tuple(back, linkedGiven).map(([index, given]) =>
  callCommand(`EnqueueOver ${index} ${JSON.stringify(given)}`, (book) => {
    const former = recent(book.tasks, index);
    if (former === undefined || book.restored.has(former.id)) return null;
    const task = { ...linkedTask(book, given), id: former.id, payload: '{"over":true}' };
    return (broker) => broker.enqueue([task]);
  }),
);

export const cancelFlow = fc
  .tuple(fc.constantFrom('f', 'g'), fc.constantFrom(null, null, ['a'], ['*b']))
  .map(([flow, reach]) =>
    callCommand(
      `CancelFlow ${flow} ${reach ?? ''}`,
      () => async (broker) =>
        (await broker.cancel({ taskIds: [], flowId: flow, reason: 'why', ...(reach !== null && { reach }) }))
          .map(({ outcome }) => outcome)
          .toSorted(),
    ),
  );
export const retryTwo = fc.tuple(back, back).map(([one, other]) =>
  callCommand(`RetryTwo ${one} ${other}`, (book) => {
    const ids = [recent(book.tasks, one), recent(book.tasks, other)].flatMap((task) => task?.id ?? []);
    return (broker) => broker.retry(ids);
  }),
);
