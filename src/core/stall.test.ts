/** Checks when a worker doubts its way to the store, and which tasks give it a reason. */

import { expect, test } from 'vitest';
import { limits } from './limits.ts';
import { overdueIn, shouldDoubt, type WaitingQueue } from './stall.ts';

const { stallMs } = limits;
const now = 10_000_000;
const queue = (given: Partial<WaitingQueue>): WaitingQueue => ({
  name: 'mail',
  pause: null,
  counts: { queued: 3 },
  oldestDueAt: now - stallMs,
  ...given,
});
const overdue = (given: Partial<WaitingQueue>): number => overdueIn([queue(given)], (name) => name === 'mail', now);

test('who has been given nothing for a while looks why, and after looks in vain ever more rarely', () => {
  expect(shouldDoubt({ idleMs: stallMs - 1, doubts: 0 })).toBe(false);
  expect(shouldDoubt({ idleMs: stallMs, doubts: 0 })).toBe(true);
  expect(shouldDoubt({ idleMs: 2 * stallMs - 1, doubts: 1 })).toBe(false);
  expect(shouldDoubt({ idleMs: 2 * stallMs, doubts: 1 })).toBe(true);
  expect(shouldDoubt({ idleMs: 3_600_000, doubts: 1_000 })).toBe(true);
});

test('tasks that have waited for long in a queue it serves are a reason', () => {
  expect(overdue({})).toBe(3);
});

test.for([
  ['are in the queue of another', { name: 'images' }],
  ['were paused by a person', { pause: { by: 'ada', reason: null, at: 0 } }],
  ['have just come', { oldestDueAt: now - stallMs + 1 }],
  ['are not there', { counts: {}, oldestDueAt: null }],
] as const)('tasks that %s are none', ([, given]) => {
  expect(overdue(given)).toBe(0);
});
