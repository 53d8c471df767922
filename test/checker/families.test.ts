/** Tasks that wait for others, and tasks that a run brings along: what was right, and what was not. */

import { expect, test } from 'vitest';
import type { Effect } from '../../src/checker/evidence.ts';
import type { Dependency } from '../../src/core/task.ts';
import { type Change, call, claim, effect, enqueue, eventful, settle } from './histories.ts';
import { judge, type RunHistory } from './run-history.ts';

const blocked: Change = enqueue('B', { to: 'blocked' });
const unblock: Change = { kind: 'unblock', taskId: 'B', from: 'blocked', to: 'queued' };

/** B waits for A. */
function family(onFailure: Dependency['onFailure'], changes: readonly Change[]): RunHistory {
  const asked = { dependsOn: [{ taskId: 'A', onFailure }] };
  const client = ['A', 'B'].flatMap((taskId, n) => [
    call('invoke', taskId === 'B' ? asked : {}, { taskId, n }),
    call('ok', undefined, { taskId, n }),
  ]);
  return eventful({}, changes, { client });
}

/** A run of A asks for B, and ends. */
function spawning(changes: readonly Change[], end: Effect['how'] = 'returned'): RunHistory {
  const spawn = effect('spawn', 1, 2, { taskId: 'A', n: 0, child: { taskId: 'B', n: 1, asked: {} } });
  const runs = [effect('begin', 1, 1, { n: 0 }), spawn, effect('end', 1, 3, { n: 0, how: end })];
  const ofB = [
    effect('begin', 1, 5, { taskId: 'B', n: 1 }),
    effect('end', 1, 6, { taskId: 'B', n: 1, how: 'returned' }),
  ];
  const client = [call('invoke', {}, { n: 0 }), call('ok', undefined, { n: 0 })];
  return eventful({}, changes, { client, effects: [...runs, ...ofB] });
}

const endsA: Change = { kind: 'cancel', from: 'queued', to: 'cancelled', reason: 'user' };
const goesA: Change = { kind: 'remove', from: 'cancelled', to: null };
const judgedB: Change = { kind: 'judge', taskId: 'B', from: 'blocked', to: 'cancelled', reason: 'dependency' };
const retriedB: Change = { kind: 'retry', taskId: 'B', from: 'cancelled', to: 'queued', reason: 'retry' };

const failed = { to: 'failed', reason: 'error' } as const;

test.for<readonly [sentence: string, history: RunHistory]>([
  [
    'a child that runs when its parent has succeeded',
    family('fail', [enqueue('A'), blocked, claim('A'), settle('A'), unblock, claim('B'), settle('B')]),
  ],
  [
    'a child that runs although its parent was cancelled, as it wants',
    family('ignore', [
      enqueue('A'),
      blocked,
      { kind: 'cancel', from: 'queued', to: 'cancelled' },
      unblock,
      claim('B'),
      settle('B'),
    ]),
  ],
  [
    'a child that is retried when its parent is gone',
    family('cancel', [enqueue('A'), blocked, endsA, judgedB, goesA, retriedB, claim('B'), settle('B')]),
  ],
  [
    'a child that a success brings along',
    spawning([enqueue('A'), claim('A'), enqueue('B'), settle('A'), claim('B'), settle('B')]),
  ],
])('accepts %s', ([, history]) => {
  expect(judge(history)).toMatchObject({ result: 'valid', violations: [] });
});

test.for<readonly [sentence: string, history: RunHistory]>([
  ['a child that runs before its parent has ended', family('fail', [enqueue('A'), enqueue('B'), claim('B')])],
  [
    'a child that runs although its parent failed',
    family('fail', [enqueue('A'), blocked, claim('A'), settle('A', failed), unblock, claim('B')]),
  ],
  [
    'a child that is retried while its parent is there, cancelled',
    family('cancel', [enqueue('A'), blocked, endsA, judgedB, retriedB, claim('B'), settle('B')]),
  ],
  [
    'a child that was not retried since its parent was cancelled and removed',
    family('cancel', [enqueue('A'), blocked, endsA, goesA, unblock, claim('B'), settle('B')]),
  ],
  ['a success that loses its child', spawning([enqueue('A'), claim('A'), settle('A')])],
  [
    'a failure that brings its child along',
    spawning([enqueue('A'), claim('A'), enqueue('B'), settle('A', failed), claim('B'), settle('B')], 'threw'),
  ],
])('refuses %s', ([, history]) => {
  expect(judge(history).violations.map(({ rule }) => rule)).toContain('S14');
});
