/** The account of leases: it accepts a good history, and rejects each of these. */

import { expect, test } from 'vitest';
import type { RetryResult, SettleResult } from '../../src/broker/broker.ts';
import type { OverdueTask, Settlement } from '../../src/core/task.ts';
import { createLeaseBook, type LeaseBook } from './lease-book.ts';

type Act = (book: LeaseBook) => void;

const settlement = (token: string): Settlement => ({
  lease: { taskId: 'T', token, epoch: 1 },
  verdict: { to: 'failed', reason: 'error', charge: 'nothing', keepMs: 1_000, result: null, error: null },
  ranMs: null,
  progress: null,
  logs: [],
  spawn: [],
});
const judged: Act = (book) =>
  book.judge({ token: 'judge', limit: 1, leaseMs: 1_000, deadWorkers: [] }, [
    { task: { id: 'T' }, lease: { taskId: 'T', token: 'judge', epoch: 1 } } as unknown as OverdueTask,
  ]);
const settled =
  (outcome: Exclude<SettleResult['outcome'], 'diverted'>, token = 'judge'): Act =>
  (book) =>
    book.settle(1, [settlement(token)], [{ outcome }], []);
const retried =
  (result: RetryResult): Act =>
  (book) =>
    book.retry(['T'], [result]);

function rulesBrokenBy(acts: readonly Act[]): readonly string[] {
  const broken: string[] = [];
  const book = createLeaseBook(
    new Map(),
    () => false,
    (rule) => broken.push(rule),
  );
  for (const act of acts) act(book);
  return broken;
}

test.each<readonly [string, readonly Act[]]>([
  ['a repeated settlement that is known', [judged, settled('applied'), settled('alreadyApplied')]],
  [
    'a repeated settlement that a retry has made stale',
    [judged, settled('applied'), retried({ outcome: 'queued', generation: 2 }), settled('stale')],
  ],
  [
    'one that a retry has made stale of a task that waits for its parents again',
    [judged, settled('applied'), retried({ outcome: 'blocked', generation: 2 }), settled('stale')],
  ],
])('accepts: %s', (_words, acts) => {
  expect(rulesBrokenBy(acts)).toEqual([]);
});

test.each<readonly [string, readonly string[], readonly Act[]]>([
  ['a settlement by nobody', ['S4'], [settled('applied')]],
  ['a repeated settlement that is taken for a stale one', ['S5'], [judged, settled('applied'), settled('stale')]],
  [
    'one that is taken for a stale one after a retry that came too early',
    ['S5'],
    [judged, settled('applied'), retried({ outcome: 'already', state: 'scheduled' }), settled('stale')],
  ],
  [
    'one that is taken for a stale one after a retry whose key was held',
    ['S5'],
    [judged, settled('applied'), retried({ outcome: 'conflict', of: 'other' }), settled('stale')],
  ],
  [
    'a settlement of the former generation',
    ['S4'],
    [judged, settled('applied'), retried({ outcome: 'blocked', generation: 2 }), settled('applied')],
  ],
])('rejects: %s', (_words, rules, acts) => {
  expect(rulesBrokenBy(acts)).toEqual(rules);
});
