/** Provokes every gate that can hold a task back. */

import { describe, expect, test } from 'vitest';
import { now, open, parentId, task, turn, worker } from '../../test/support/explain-samples.ts';
import { explain, type Gate, type GateCode, gateCodes } from './explain.ts';
import type { Facts, ParentFact } from './facts.ts';

const parent: ParentFact = { taskId: parentId, name: 'report.build', state: 'running', edge: 'open' };
const blockedBy = (...parents: readonly ParentFact[]): Partial<Facts> => {
  return { task: { ...task, state: 'blocked' }, parents, parentsLeft: parents.length };
};

const provoked: readonly [GateCode, string, Partial<Facts>, Partial<Gate>][] = [
  [
    'no_worker',
    'No worker listens on queue "email". No worker is running at all.',
    { workers: [] },
    { command: 'taskflow worker start --queues email' },
  ],
  [
    'no_worker',
    'No worker listens on queue "email". Nearest queue with a worker: emails.',
    { workers: [{ ...worker, queues: ['emails'] }] },
    {},
  ],
  ['no_worker', 'No worker listens on queue "email".', { workers: [{ ...worker, queues: ['media'] }] }, {}],
  [
    'no_worker',
    'The only worker of queue "email" takes no more tasks: ada-4121 is draining.',
    { workers: [{ ...worker, state: 'draining' }] },
    { holder: 'w1' },
  ],
  [
    'unknown_task',
    'No worker knows "text.stat"; nearest: text.stats.',
    { task: { ...task, name: 'text.stat' } },
    { command: 'taskflow worker list' },
  ],
  ['unknown_task', 'No worker knows "other".', { task: { ...task, name: 'other' } }, {}],
  [
    'unknown_task',
    'No worker of queue "email" knows "text.stats"; bob-1 does, on media.',
    {
      workers: [
        { ...worker, taskNames: [] },
        { ...worker, workerId: 'w2', name: 'bob-1', queues: ['media'] },
      ],
    },
    { holder: 'w2' },
  ],
  [
    'queue_paused',
    'Queue "email" was paused 2 m ago by ada: SMTP is down.',
    { pause: { by: 'ada', reason: 'SMTP is down', at: now - 120_000 } },
    { holder: 'ada', command: 'taskflow queue resume email' },
  ],
  [
    'queue_paused',
    'Queue "email" was paused 2 m ago by ada.',
    { pause: { by: 'ada', reason: null, at: now - 120_000 } },
    {},
  ],
  [
    'group_paused',
    'Group "acme" was paused 1 m ago by ada: they asked for it.',
    { turn: { ...turn, group: 'acme', pause: { by: 'ada', reason: 'they asked for it', at: now - 60_000 } } },
    { holder: 'ada', command: 'taskflow group resume acme' },
  ],
  [
    'not_due',
    'It is scheduled to run in 4.2 s.',
    { task: { ...task, state: 'scheduled', dueAt: now + 4200 } },
    { earliestAt: now + 4200 },
  ],
  [
    'not_due',
    'It is scheduled to run now, as soon as it is moved to its queue.',
    { task: { ...task, state: 'scheduled', dueAt: now } },
    {},
  ],
  [
    'not_due',
    'It snoozes and runs again in 10 m.',
    { task: { ...task, state: 'scheduled', reason: 'snooze', dueAt: now + 600_000 } },
    {},
  ],
  [
    'not_due',
    'A worker that does not know it gave it back; it is tried again in 30 s.',
    { task: { ...task, state: 'scheduled', reason: 'unknown_task', dueAt: now + 30_000 } },
    {},
  ],
  [
    'retry_wait',
    'Attempt 2 failed (SMTP 451); it is tried again in 2.0 s.',
    {
      task: {
        ...task,
        state: 'scheduled',
        reason: 'error',
        attempt: 2,
        dueAt: now + 2000,
        error: { name: 'Error', message: 'SMTP\n451', stack: null, fingerprint: '7f' },
      },
    },
    { earliestAt: now + 2000 },
  ],
  [
    'retry_wait',
    'Attempt 1 timed out; it is tried again in 2.0 s.',
    { task: { ...task, state: 'scheduled', reason: 'timeout', attempt: 1, dueAt: now + 2000 } },
    {},
  ],
  [
    'dependency',
    'It depends on report.build 01K8PZP1M4EJ9C7Y, which is running.',
    blockedBy(parent),
    { holder: parentId, command: `taskflow explain ${parentId}` },
  ],
  [
    'dependency',
    `It depends on ${parentId}, which is not in the store.`,
    blockedBy({ ...parent, name: null, state: null }),
    { command: `taskflow task cancel ${task.id}` },
  ],
  [
    'dependency',
    'It depends on report.build 01K8PZP1M4EJ9C7Y, which failed: it ends too, unless that task is retried within seconds.',
    blockedBy({ ...parent, state: 'failed', edge: 'failed' }),
    { holder: parentId, command: `taskflow task retry ${parentId}` },
  ],
  [
    'limit_paused',
    'Limit user:42 was paused 0 ms ago by ada.',
    {
      limits: [
        { name: 'user:42', pause: { by: 'ada', reason: null, at: now }, max: 1, held: 0, holders: [], tokenAt: null },
      ],
    },
    { holder: 'ada', command: 'taskflow limit resume user:42' },
  ],
  [
    'limit',
    'Limit user:42 is full: 1/1 held by 01K8PZP1M4EJ9C7Y (running 12 s).',
    {
      limits: [
        {
          name: 'user:42',
          pause: null,
          max: 1,
          held: 1,
          holders: [{ taskId: parentId, workerId: 'w1', sinceAt: now - 12_000 }],
          tokenAt: null,
        },
      ],
    },
    { holder: parentId },
  ],
  [
    'limit',
    'Limit api is full: 20/20 held by 01K8PZP1M4EJ9C7Y and 19 more.',
    {
      limits: [
        {
          name: 'api',
          pause: null,
          max: 20,
          held: 20,
          holders: [{ taskId: parentId, workerId: null, sinceAt: now }],
          tokenAt: null,
        },
      ],
    },
    {},
  ],
  [
    'rate',
    'The rate of smtp is used up; the next start is allowed in 3.0 s.',
    { limits: [{ name: 'smtp', pause: null, max: null, held: 0, holders: [], tokenAt: now + 3000 }] },
    { earliestAt: now + 3000 },
  ],
  [
    'queue_limit',
    'Queue "email" may run 2 at once: 2/2 held by 01K8PZP1M4EJ9C7Y and 1 more.',
    {
      queueLimit: {
        name: 'email',
        pause: null,
        max: 2,
        held: 2,
        holders: [{ taskId: parentId, workerId: 'w1', sinceAt: now }],
        tokenAt: null,
      },
    },
    { holder: parentId, command: 'taskflow queue limit email --max 3' },
  ],
  [
    'queue_rate',
    'The rate of queue "email" is used up; the next start is allowed in 3.0 s.',
    { queueLimit: { name: 'email', pause: null, max: null, held: 0, holders: [], tokenAt: now + 3_000 } },
    { earliestAt: now + 3_000, command: 'taskflow queue limit email --rate none' },
  ],
  [
    'schema_differs',
    'Its input was written for version b2 of "text.stats"; every worker has another one (a1).',
    { task: { ...task, schemaVersion: 'b2' }, workers: [{ ...worker, schemaVersion: 'a1' }] },
    {},
  ],
  ['slots_full', 'All 10 slots of worker ada-4121 are busy.', { workers: [{ ...worker, running: 10 }] }, {}],
  [
    'slots_full',
    'The only slot of worker ada-4121 is busy.',
    { workers: [{ ...worker, concurrency: 1, running: 1 }] },
    {},
  ],
  [
    'slots_full',
    'All 20 slots of the 2 workers of queue "email" are busy.',
    {
      workers: [
        { ...worker, running: 10 },
        { ...worker, workerId: 'w2', running: 11 },
      ],
    },
    {},
  ],
  [
    'group_turn',
    'Group "acme" is served after the tasks without a group and 1 other in queue "email".',
    { turn: { ...turn, group: 'acme', ahead: 2 } },
    { command: 'taskflow group weight acme 2' },
  ],
  [
    'group_turn',
    'The tasks without a group are served after "acme" in queue "email".',
    { turn: { ...turn, ahead: 1, first: 'acme' } },
    {},
  ],
  ['behind', '1 task is ahead of it in queue "email".', { ahead: 1 }, { command: 'taskflow queue list' }],
  ['behind', '412 tasks are ahead of it in queue "email".', { ahead: 412 }, {}],
  ['behind', '1,000+ tasks are ahead of it in queue "email".', { ahead: 1000 }, {}],
];

describe('a waiting task', () => {
  test.each(provoked)('waits for %s: %s', (code, sentence, change, more) => {
    const { gates, summary } = explain({ ...open, ...change });
    expect(gates).toEqual([expect.objectContaining({ code, sentence, ...more })]);
    expect(summary).toBe(sentence);
  });

  test('has a test for every gate', () => {
    expect([...new Set(provoked.map(([code]) => code))]).toEqual([...gateCodes]);
  });

  test('waits for nothing when nothing holds it', () => {
    expect(explain(open)).toMatchObject({
      view: 'queued',
      gates: [],
      summary: 'Nothing holds it back: the next free slot takes it.',
    });
  });

  test('is not held by a parent that succeeded, a limit with room, or a schema it shares with one worker', () => {
    const change: Partial<Facts> = {
      task: { ...task, schemaVersion: 'b2' },
      parents: [{ taskId: parentId, name: 'x', state: 'succeeded', edge: 'done' }],
      limits: [{ name: 'l', pause: null, max: 2, held: 1, holders: [], tokenAt: now }],
      workers: [
        { ...worker, schemaVersion: 'a1' },
        { ...worker, schemaVersion: 'b2' },
      ],
    };
    expect(explain({ ...open, ...change }).gates).toEqual([]);
  });

  test('names ten of many parents, and counts the rest', () => {
    const change = blockedBy(...Array.from({ length: 100 }, () => parent));
    const { gates } = explain({ ...open, ...change, parentsLeft: 999 });
    expect(gates).toHaveLength(11);
    expect(gates.at(-1)?.sentence).toBe('It depends on 989 more tasks that are not done.');
  });

  test('names all gates, in their order', () => {
    const { gates } = explain({ ...open, workers: [], pause: { by: 'ada', reason: null, at: now }, ahead: 5 });
    expect(gates.map((gate) => gate.code)).toEqual(['no_worker', 'queue_paused', 'behind']);
  });

  test('quotes a queue for the shell', () => {
    const { gates } = explain({ ...open, task: { ...task, queue: "it's $HOME" }, workers: [] });
    expect(gates[0]?.command).toBe(`taskflow worker start --queues 'it'\\''s $HOME'`);
  });
});
