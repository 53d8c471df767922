/** Tests the rules of what a person should look at: each says what, why and what to do, and only where it is so. */
import { describe, expect, test } from 'vitest';
import type { QueueDocument } from '../operations/queue.ts';
import type { SignsDocument } from '../operations/signs.ts';
import type { ActivityDocument, HealthDocument } from '../operations/system.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import type { Signs } from './concern.ts';
import { findConcerns } from './concerns.ts';

const queue: QueueDocument = {
  ...{ name: 'media', state: 'active', pause: null, max: null, rate: null, counts: {} },
  ...{ waiting: 100, running: 8, oldestWaitMs: 90_000, workers: 1, slots: 8 },
};
const worker = {
  name: 'w-1',
  state: 'ready',
  concurrency: 8,
  version: '1',
  tasks: ['video.encode'],
  running: 1,
  blocked: null,
  stall: null,
} as unknown as WorkerDocument;
const health = {
  record: null,
  relay: null,
  lagMs: 0,
  now: '2026-11-23T12:00:00.000Z',
  disk: null,
} as unknown as HealthDocument;
const activity: ActivityDocument = {
  stepMinutes: 1,
  minutes: [],
  queues: { media: { finished: [], perMinute: 80 } },
  names: { 'video.encode': { succeeded: 50, failed: 0, meanRunMs: 3_800 } },
};
const noSigns: SignsDocument = { asOf: null, growing: [], errors: [], quiet: [], schedules: [] };
const growing = [{ queue: 'media', perMinute: 34, minutes: 5 }];
const error = {
  ...{
    fingerprint: 'f1',
    task: 'mail.send',
    errorName: 'Error',
    message: 'SMTP 451',
    lastHour: 31,
    lastDay: 31,
    count: 31,
  },
  ...{
    firstSeenAt: '2026-11-23T11:12:00.000Z',
    lastSeenAt: '2026-11-23T11:59:00.000Z',
    newestId: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  },
  ...{ mark: null, sign: 'new' as const, times: null },
};

function told(
  given: Partial<Signs> & {
    readonly signs?: Partial<SignsDocument>;
    readonly waiting?: Record<string, number>;
    readonly running?: readonly object[];
  },
) {
  const { signs, waiting = {}, running = [], ...rest } = given;
  const counts = { counts: {}, queues: {}, names: {}, now: '2026-11-26T12:00:00.000Z', waiting };
  const beyond = { signs: { ...noSigns, ...signs }, counts, running: running as readonly ListedTaskDocument[] };
  return findConcerns({ queues: [], workers: [worker], health, activity, beyond, ...rest });
}

describe('a queue', () => {
  test.each([
    [
      'behind and growing says how many slots would hold it level',
      queue,
      growing,
      /is 1 m 30 s behind and grows by 34 a minute/,
      /All 8 slots are busy\. 4 more slots would hold it level/,
    ],
    [
      'that only grows is told before it is late',
      { ...queue, oldestWaitMs: 500 },
      growing,
      /has 100 waiting tasks and grows by 34 a minute/,
      /level/,
    ],
    [
      'that is paused says that it grows',
      { ...queue, pause: { by: 'ada', reason: 'deploy', at: '' } },
      growing,
      /is paused and has 100 waiting tasks and grows by 34 a minute/,
      /Paused by ada \(deploy\)/,
    ],
    [
      'without a worker says how to start one',
      { ...queue, workers: 0, slots: 0 },
      [],
      /has 100 waiting tasks and no worker$/,
      /No worker listens on it; 1 worker listens/,
    ],
  ])('%s', (_words, given, grows, title, more) => {
    const [concern] = told({ queues: [given], signs: { growing: grows } });
    expect(concern?.title).toMatch(title);
    expect(concern?.more).toMatch(more);
    expect(concern?.action).toBeDefined();
  });

  test('that keeps up is no concern', () => {
    expect(told({ queues: [{ ...queue, oldestWaitMs: 500 }] })).toEqual([]);
  });
});

describe('concerns that are alike', () => {
  const without = (number: number) =>
    Array.from({ length: number }, (_, at) => ({ ...queue, name: `q${at}`, waiting: at + 1, workers: 0, slots: 0 }));

  test('are one sentence with the largest of them, and hide nothing else', () => {
    const [first, ...others] = told({ queues: [...without(200), queue], signs: { errors: [error] } });
    expect(first).toMatchObject({
      look: 'failed',
      title: '200 queues have no worker: q199, q198, q197 and 197 more',
      more: expect.stringContaining('20,100 tasks wait in them.'),
      action: { kind: 'page', path: '#queues' },
    });
    expect(others.map(({ title }) => title)).toEqual([
      expect.stringContaining('SMTP 451'),
      expect.stringContaining('Queue media is 1 m 30 s behind'),
    ]);
  });

  test('are told one by one where they are few', () => {
    expect(told({ queues: without(3) }).map(({ title }) => title)).toEqual([
      'Queue q0 has 1 waiting task and no worker',
      'Queue q1 has 2 waiting tasks and no worker',
      'Queue q2 has 3 waiting tasks and no worker',
    ]);
    expect(told({ queues: without(4) })).toHaveLength(1);
  });

  test('are as severe as the most severe of them', () => {
    const paused = without(5).map((one) => ({ ...one, pause: { by: 'ada', reason: null, at: '' } }));
    const growing = [{ queue: 'q3', perMinute: 34, minutes: 5 }];
    expect(told({ queues: paused }).map(({ look }) => look)).toEqual(['retrying']);
    expect(told({ queues: paused, signs: { growing } })).toMatchObject([
      { look: 'failed', title: '5 queues are paused: q4, q3, q2 and 2 more' },
    ]);
  });

  test('have words and a link for each kind', () => {
    const silent = { state: 'silent' as const, running: 2, silentMs: 9_000 };
    const blocked = { blocked: { forMs: 9_000, handlers: [], at: null } };
    const stall = { stall: { forMs: 9_000, waiting: null, agoMs: 9_000 } };
    const many = <One>(make: (name: string) => One): One[] => ['a', 'b', 'c', 'd'].map(make);
    const workers = [silent, blocked, stall].flatMap((more, kind) =>
      many((name) => ({ ...worker, ...more, name: `${name}${kind}` })),
    );
    const at = '2026-11-23T02:30:00.000Z';
    const schedules = (['late', 'missed'] as const).flatMap((sign) => many((name) => ({ name, sign, at, count: 1 })));
    const names = Object.fromEntries(many((name) => [name, { succeeded: 0, failed: 9, meanRunMs: 5 }]));
    const concerns = told({
      workers,
      signs: { schedules },
      activity: { ...activity, names },
      queues: many((name) => ({ ...queue, name })),
    });
    expect(concerns.map(({ title }) => title)).toEqual([
      '4 workers vanished with 8 tasks: a0, b0, c0 and 1 more',
      'The event loops of 4 workers do not turn: a1, b1, c1 and 1 more',
      '4 schedules are due and nothing fires them: a, b, c and 1 more',
      '4 kinds of tasks fail: a, b, c and 1 more',
      '4 queues fall behind: a, b, c and 1 more',
      '4 schedules were missed: a, b, c and 1 more',
      '4 workers had to connect anew to the store: a2, b2, c2 and 1 more',
    ]);
  });
});

test('names that no worker knows are told with the nearest that one does', () => {
  const [concern, ...others] = told({ waiting: { 'video.encod': 7, 'video.encode': 3 } });
  expect(concern).toMatchObject({
    title: 'No worker knows the task video.encod: 7 wait',
    more: expect.stringContaining('They know video.encode.'),
    action: { kind: 'tasks', q: 'state:queued,scheduled,retrying,blocked name:video.encod' },
  });
  expect(others).toEqual([]);
  expect(told({ waiting: { other: 7 }, workers: [] })).toEqual([]);
});

test('an error says what, of which task, how often, and since when; its task is not told twice', () => {
  const failing = { ...activity, names: { 'mail.send': { succeeded: 0, failed: 31, meanRunMs: 5 } } };
  const concerns = told({ signs: { errors: [error] }, activity: failing });
  expect(concerns).toMatchObject([
    {
      title: 'SMTP 451 – 31 tasks of mail.send in the last hour',
      more: 'New: first seen 48 m ago. The newest one:',
      command: 'taskflow task get 01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
      action: { kind: 'error', fingerprint: 'f1' },
    },
  ]);
  expect(told({ activity: failing })).toMatchObject([{ title: 'mail.send fails: 31 of 31 that finished' }]);
});

test('a task whose failures are all muted or resolved is left alone, and another one is not', () => {
  const fails = { succeeded: 11, failed: 9, meanRunMs: 5 };
  const failing = { ...activity, names: { 'mail.send': fails, 'mail.read': fails } };
  expect(told({ signs: { quiet: ['mail.send'] }, activity: failing }).map(({ title }) => title)).toEqual([
    'mail.read fails: 9 of 20 that finished',
  ]);
});

test('a schedule that was missed or is late says so, and how to make up for it', () => {
  const at = '2026-11-23T02:30:00.000Z';
  const schedules = [
    { name: 'report.nightly', sign: 'missed', at, count: 3 },
    { name: 'report.hourly', sign: 'late', at, count: 1 },
  ] as const;
  expect(told({ signs: { schedules } }).map(({ title, command }) => [title, command])).toEqual([
    ['Schedule report.hourly is due and nothing fires it', 'taskflow worker list'],
    ['Schedule report.nightly was missed 3 times', `taskflow schedule backfill report.nightly --from ${at}`],
  ]);
});

test('a run that lasts many times as long as others is told, and one that is merely long is not', () => {
  const run = (startedAt: string) => ({ id: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX', name: 'video.encode', startedAt });
  expect(told({ running: [run('2026-11-23T11:40:00.000Z'), run('2026-11-23T11:59:30.000Z')] })).toMatchObject([
    { title: 'video.encode has run for 20 m, and usually takes 3.8 s', action: { kind: 'page' } },
  ]);
});

test.each([
  [79, null],
  [81, 'retrying'],
  [96, 'failed'],
])('a disk that is %d %% full is a concern when it is nearly so', (used, look) => {
  const disk = { freeBytes: (100 - used) * 1_000_000_000, totalBytes: 100_000_000_000 };
  const concerns = told({ health: { ...health, disk } });
  expect(concerns.map((concern) => concern.look)).toEqual(look === null ? [] : [look]);
  if (look !== null) expect(concerns[0]?.title).toBe(`The disk of the store is ${used} % full`);
});
