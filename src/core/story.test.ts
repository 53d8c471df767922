/** Reads the story of running and finished tasks. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { now, open, task } from '../../test/support/explain-samples.ts';
import { explain } from './explain.ts';
import { reasons, taskStates } from './states.ts';
import type { Task } from './task.ts';

const ended: Partial<Task> = {
  attempt: 1,
  workerId: 'w1',
  claimedAt: now - 13_800,
  startedAt: now - 13_800,
  finishedAt: now - 12_600,
};
const error = { name: 'Error', message: 'SMTP 451\nmore', stack: null, fingerprint: '7f' };

describe('a running or finished task', () => {
  test.each<[string, Partial<Task>]>([
    [
      'Running by ada-4121 for 12 s, attempt 1 of 5; its lease ends in 20 s unless renewed.',
      {
        state: 'running',
        attempt: 1,
        workerId: 'w1',
        claimedAt: now - 13_000,
        startedAt: now - 12_000,
        leaseUntil: now + 20_000,
      },
    ],
    [
      'Taken by w9 for 13 s, attempt 1 of 5; its lease has ended and it is about to be taken away; its cancellation was requested 2.0 s ago.',
      {
        state: 'running',
        attempt: 1,
        workerId: 'w9',
        claimedAt: now - 13_000,
        leaseUntil: now - 1,
        cancelRequestedAt: now - 2000,
      },
    ],
    ['Succeeded in 1.2 s after waiting 4.2 s.', { ...ended, state: 'succeeded' }],
    ['Succeeded in 1.2 s after waiting 4.2 s, at attempt 3.', { ...ended, state: 'succeeded', attempt: 3 }],
    ['Failed at attempt 5 of 5: SMTP 451', { ...ended, state: 'failed', reason: 'error', attempt: 5, error }],
    ['Timed out at attempt 5 of 5: SMTP 451', { ...ended, state: 'failed', reason: 'timeout', attempt: 5, error }],
    [
      'Quarantined: 3 times the process that ran it died: SMTP 451',
      { ...ended, state: 'failed', reason: 'crash_loop', error },
    ],
    ['Failed: a task it depends on did not succeed.', { state: 'failed', reason: 'dependency', finishedAt: now }],
    ['Expired: it was not started in time.', { state: 'cancelled', reason: 'expired', finishedAt: now }],
    ['Expired: it was not finished within its life.', { ...ended, state: 'cancelled', reason: 'expired' }],
    [
      'Expired: it was not finished within its life.',
      { state: 'cancelled', reason: 'expired', attempt: 1, finishedAt: now },
    ],
    [
      'Cancelled: ada: wrong list.',
      { state: 'cancelled', reason: 'user', cancelReason: 'ada: wrong list', finishedAt: now },
    ],
    ['Cancelled on request.', { state: 'cancelled', reason: 'user', finishedAt: now }],
    [
      'Cancelled: a newer task with the same key replaced it.',
      { state: 'cancelled', reason: 'replaced', finishedAt: now },
    ],
  ])('says: %s', (summary, change) => {
    expect(explain({ ...open, task: { ...task, ...change } })).toMatchObject({ summary, gates: [] });
  });

  test('has a timeline, oldest first', () => {
    const { timeline } = explain({ ...open, task: { ...task, ...ended, state: 'succeeded' } });
    expect(timeline.map((entry) => entry.text)).toEqual([
      'Enqueued.',
      'Taken by ada-4121 after waiting 4.2 s.',
      'Attempt 1 began.',
      'Succeeded in 1.2 s after waiting 4.2 s.',
    ]);
  });

  test('names the worker in the timeline, for as long as it is known', () => {
    const { timeline } = explain({ ...open, task: { ...task, ...ended, state: 'succeeded', workerId: 'gone' } });
    expect(timeline.map((entry) => entry.text)).toContain('Taken by gone after waiting 4.2 s.');
  });

  test('says of no task that it was due after it had ended', () => {
    const cancelled = { state: 'cancelled', reason: 'user', cancelReason: 'by ada', finishedAt: now } as const;
    const { timeline } = explain({ ...open, task: { ...task, ...cancelled, dueAt: now + 30_000 } });
    expect(timeline.map((entry) => entry.text)).toEqual(['Enqueued.', 'Cancelled by ada.']);
  });

  test('is explained in every state for every reason', () => {
    const time = fc.option(fc.integer({ min: now - 1e9, max: now + 1e9 }));
    const any = fc.record({
      state: fc.constantFrom(...taskStates),
      reason: fc.constantFrom(...reasons, null),
      attempt: fc.nat({ max: 9 }),
      generation: fc.integer({ min: 1, max: 3 }),
      dueAt: fc.integer(),
      claimedAt: time,
      startedAt: time,
      finishedAt: time,
      leaseUntil: time,
      cancelRequestedAt: time,
    });
    fc.assert(
      fc.property(any, (change) => {
        const { summary, gates, timeline } = explain({ ...open, task: { ...task, ...change } });
        for (const text of [summary, ...gates.map((gate) => gate.sentence), ...timeline.map((entry) => entry.text)]) {
          expect(text).toMatch(/^[A-Z0-9][^\n]+$/);
          expect(text).not.toMatch(/undefined|NaN|null/);
        }
        expect(timeline.map((entry) => entry.at)).toEqual(timeline.map((entry) => entry.at).sort((a, b) => a - b));
      }),
      { numRuns: 1000 },
    );
  });
});
