/** The account of who waits for whom: it accepts a good history, and rejects each of these. */

import { expect, test } from 'vitest';
import type { BatchEvent } from '../../src/core/events.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { Dependency, NewTask } from '../../src/core/task.ts';
import { createDependencyBook, type DependencyBook } from './dependency-book.ts';

type Act = (book: DependencyBook) => void;
type Move = readonly [kind: BatchEvent['kind'], taskId: string, to: TaskState | null];

/** One call of the store that did this. */
const call =
  (...moves: readonly Move[]): Act =>
  (book) => {
    const events = moves.map(([kind, taskId, to]) => ({ kind, items: [{ taskId, to }] }) as unknown as BatchEvent);
    for (const event of events) book.take(event);
    book.rest(events);
  };
const claimed =
  (taskId: string): Act =>
  (book) =>
    void book.claim([taskId]);

const after = (taskId: string, onFailure: Dependency['onFailure'] = 'fail'): Dependency => ({ taskId, onFailure });
const task = (dependsOn: readonly Dependency[], blocks: readonly Dependency[] = []): NewTask =>
  ({ id: '', dependsOn, blocks }) as unknown as NewTask;

const asked = new Map<string, NewTask>([
  ['P', task([])],
  ['Q', task([])],
  ['child', task([after('P'), after('Q')])],
  ['patient', task([after('P', 'ignore')])],
  ['blocker', { ...task([], [after('Q')]), id: 'blocker' }],
]);

function rulesBrokenBy(acts: readonly Act[]): readonly string[] {
  const broken: string[] = [];
  const book = createDependencyBook(asked, (rule, taskId) => broken.push(`${rule} ${taskId}`));
  for (const act of acts) act(book);
  return broken;
}

const stored = call(['enqueue', 'P', 'queued'], ['enqueue', 'Q', 'queued'], ['enqueue', 'child', 'blocked']);
const ends = (taskId: string, to: TaskState = 'succeeded'): Move => ['settle', taskId, to];
const child: Move = ['unblock', 'child', 'queued'];
const blocker: Move = ['enqueue', 'blocker', 'queued'];

test.each<readonly [string, readonly Act[]]>([
  ['a task that runs after both of its parents', [stored, call(ends('P')), call(ends('Q'), child), claimed('child')]],
  [
    'a task that waits for the verdict on its failed parent, which succeeds at last',
    [stored, call(ends('P', 'failed')), call(['retry', 'P', 'queued']), call(ends('Q')), call(ends('P'))],
  ],
  [
    'a task that waits again after its retry, for a parent that runs again',
    [
      stored,
      call(ends('P')),
      call(ends('Q'), child),
      call(['retry', 'P', 'queued']),
      call(['cancel', 'child', 'cancelled']),
      call(['retry', 'child', 'blocked']),
    ],
  ],
  [
    'a task that does not mind how its parent ended',
    [
      call(['enqueue', 'P', 'queued'], ['enqueue', 'patient', 'blocked']),
      call(ends('P', 'failed'), ['unblock', 'patient', 'queued']),
      claimed('patient'),
    ],
  ],
  [
    'a task that is held back by a new one, and runs after it',
    [stored, call(blocker, ['block', 'Q', 'blocked']), call(ends('blocker'), ['unblock', 'Q', 'queued']), claimed('Q')],
  ],
  ['a task that runs already and is not held back', [stored, call(['claim', 'Q', 'running']), call(blocker)]],
])('accepts: %s', (_words, acts) => {
  expect(rulesBrokenBy(acts)).toEqual([]);
});

test.each<readonly [string, string, readonly Act[]]>([
  ['a task that runs after one of its parents', 'S14 child', [stored, call(ends('P')), claimed('child')]],
  [
    'a task that runs although its parent failed',
    'S14 child',
    [stored, call(ends('P', 'failed')), call(ends('Q'), child), claimed('child')],
  ],
  ['a task that is let go by the call after', 'S14 child', [stored, call(ends('P')), call(ends('Q')), call(child)]],
  ['a task that is not held back', 'S14 Q', [stored, call(blocker)]],
  [
    'a task that is claimed by the call that holds it back',
    'S14 Q',
    [stored, call(blocker, ['claim', 'Q', 'running'])],
  ],
  [
    'a task that runs before the one that holds it back',
    'S14 Q',
    [stored, call(blocker, ['block', 'Q', 'blocked']), claimed('Q')],
  ],
])('rejects: %s', (_words, broken, acts) => {
  expect(rulesBrokenBy(acts)).toEqual([broken]);
});
