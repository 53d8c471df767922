/** Provokes every gate that can hold a task back, and reads the story of running and finished tasks. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain, type Gate, type GateCode, gateCodes } from './explain.ts';
import type { Facts, WorkerFact } from './facts.ts';
import { reasons, taskStates } from './states.ts';
import type { Task } from './task.ts';

const now = 1_793_000_000_000;

const task: Task = {
  id: '01K8PZX2M4EJ9C7YF4V7Z0B2HN',
  name: 'text.stats',
  queue: 'email',
  payload: '{}',
  schemaVersion: null,
  priority: 5,
  policy: '{}',
  timeoutMs: null,
  keepMs: 1,
  strictCancel: false,
  group: null,
  limits: [],
  key: null,
  keyForMs: null,
  ifExists: 'return',
  dependsOn: [],
  flowId: null,
  tags: [],
  traceparent: null,
  firedBy: null,
  state: 'queued',
  reason: null,
  version: 1,
  epoch: 0,
  attempt: 0,
  generation: 1,
  crashes: 0,
  interruptions: 0,
  snoozes: 0,
  workerId: null,
  leaseUntil: null,
  cancelRequestedAt: null,
  cancelReason: null,
  progress: null,
  checkpoints: [],
  result: null,
  error: null,
  createdAt: now - 18_000,
  dueAt: now - 18_000,
  startBy: null,
  expiresAt: null,
  claimedAt: null,
  startedAt: null,
  finishedAt: null,
  pruneAt: null,
};
const worker: WorkerFact = {
  workerId: 'w1',
  name: 'ada-4121',
  queues: ['email'],
  concurrency: 10,
  running: 3,
  state: 'ready',
  taskNames: ['text.stats'],
  schemaVersion: null,
};
const open: Facts = { now, task, pause: null, ahead: 0, parents: [], limits: [], workers: [worker] };
const parentId = '01K8PZP1M4EJ9C7YF4V7Z0B2HM';

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
    { task: { ...task, state: 'blocked' }, parents: [{ taskId: parentId, name: 'report.build', state: 'running' }] },
    { holder: parentId, command: `taskflow explain ${parentId}` },
  ],
  [
    'dependency',
    `It depends on ${parentId}, which is not in the store.`,
    { task: { ...task, state: 'blocked' }, parents: [{ taskId: parentId, name: null, state: null }] },
    {},
  ],
  [
    'limit',
    'Limit user:42 is full: 1/1 held by 01K8PZP1M4EJ9C7Y (running 12 s).',
    {
      limits: [
        {
          name: 'user:42',
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
    { limits: [{ name: 'smtp', max: null, held: 0, holders: [], tokenAt: now + 3000 }] },
    { earliestAt: now + 3000 },
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
      parents: [{ taskId: parentId, name: 'x', state: 'succeeded' }],
      limits: [{ name: 'l', max: 2, held: 1, holders: [], tokenAt: now }],
      workers: [
        { ...worker, schemaVersion: 'a1' },
        { ...worker, schemaVersion: 'b2' },
      ],
    };
    expect(explain({ ...open, ...change }).gates).toEqual([]);
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
    ['Quarantined: 3 times its worker died while it ran.', { ...ended, state: 'failed', reason: 'crash_loop', error }],
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
