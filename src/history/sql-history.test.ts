// The record of a SQLite store: what it tells of one task, of minutes and of counts, and its end.

import { expect, test } from 'vitest';
import { claimRequest, newTask, sampleId, sampleToken } from '../../test/conformance/samples.ts';
import { connect } from '../broker/connect.ts';
import { parseFilter } from '../core/filter-parse.ts';
import type { TaskError, Verdict } from '../core/task.ts';
import type { Sample, Store } from './history.ts';

const startAt = 1_750_000_020_000;

async function openMemory(): Promise<{ store: Store; move: (ms: number) => void }> {
  let now = startAt;
  const store = connect('sqlite::memory:', { now: () => now });
  await store.broker.open();
  const move = (ms: number): void => {
    now += ms;
  };
  return { store, move };
}

const boom: TaskError = { name: 'Error', message: 'boom\nat once', stack: null, fingerprint: 'abcd' };
const again: Verdict = { to: 'scheduled', reason: 'error', charge: 'attempt', delayMs: 5_000, error: boom };
const done: Verdict = { to: 'succeeded', reason: null, charge: 'attempt', keepMs: 60_000, result: '1', error: null };
const id = sampleId(1);

async function run(
  { store, move }: Awaited<ReturnType<typeof openMemory>>,
  token: number,
  verdict: Verdict,
): Promise<void> {
  move(1_000);
  await store.broker.promote(10);
  const [claimed] = await store.broker.claim(claimRequest(sampleToken(token)));
  move(200);
  const lease = claimed?.lease ?? { taskId: id, token: '', epoch: 0 };
  await store.broker.settle([
    {
      lease,
      verdict,
      ranMs: 150,
      progress: null,
      logs: [{ at: 5, level: 'info', message: `run ${token}`, fields: null }],
      spawn: [],
    },
  ]);
}

test('tells the life of a task from its row, its runs and what people did', async () => {
  const { store, move } = await openMemory();
  await store.broker.enqueue([newTask(id)]);
  await run({ store, move }, 1, again);
  move(4_000);
  await run({ store, move }, 2, { ...done, to: 'failed', reason: 'error', error: boom, result: null });
  move(1_000);
  await store.broker.retry([id]);
  await run({ store, move }, 3, done);
  const record = await store.history.task(id);
  expect(record?.timeline.map(({ at, kind, text }) => `${at - startAt} ${kind} ${text}`)).toMatchInlineSnapshot(`
    [
      "0 created Enqueued.",
      "1000 claimed Taken by worker-1.",
      "1050 started Attempt 1 began.",
      "1200 error Attempt 1 failed: boom; it waits to be tried again.",
      "6200 claimed Taken by worker-1.",
      "6250 started Attempt 2 began.",
      "6400 error Attempt 2 failed: boom.",
      "7400 retried Retried by hand: generation 2.",
      "8400 claimed Taken by worker-1 after waiting 1.0 s.",
      "8450 started Attempt 1 began.",
      "8600 finished Succeeded in 150 ms after waiting 1.0 s.",
    ]
  `);
  expect(record?.logs.map(({ message, epoch }) => [message, epoch])).toEqual([
    ['run 1', 1],
    ['run 2', 2],
    ['run 3', 3],
  ]);
  expect(record?.attempts.map(({ attempt, to }) => [attempt, to])).toEqual([
    [1, 'scheduled'],
    [2, 'failed'],
  ]);
  expect(await store.history.task(sampleId(2))).toBeNull();
  await store.close();
});

test('keeps minutes and counts without counting', async () => {
  const { store, move } = await openMemory();
  await store.broker.enqueue([newTask(id), newTask(sampleId(2), { name: '__proto__', queue: 'constructor' })]);
  await run({ store, move }, 1, done);
  expect(await store.history.minutes({ from: 0, to: startAt + 3_600_000 })).toEqual([
    {
      at: startAt - (startAt % 60_000),
      queue: 'default',
      name: 'mail.send',
      succeeded: 1,
      failed: 0,
      cancelled: 0,
      retried: 0,
      waitMs: 1_000,
      runMs: 150,
    },
  ]);
  const { views, queues, names } = await store.history.facets();
  expect(views).toEqual({ succeeded: 1, queued: 1 });
  expect(Object.entries(queues)).toEqual(
    expect.arrayContaining([
      ['constructor', 1],
      ['default', 1],
    ]),
  );
  expect(Object.entries(names)).toEqual(
    expect.arrayContaining([
      ['__proto__', 1],
      ['mail.send', 1],
    ]),
  );
  await store.close();
});

test('lets the first writer of a minute win', async () => {
  const { store } = await openMemory();
  const sample = (at: number, queue: string): Sample => ({ at, queue, waiting: 1, running: 2, slots: 3, workers: 4 });
  expect(await store.history.sample([sample(60_000, 'a'), sample(60_000, 'b')])).toBe(true);
  expect(await store.history.sample([sample(60_000, 'c'), sample(60_000, 'a')])).toBe(false);
  expect(await store.history.sample([sample(0, 'z')])).toBe(true);
  expect(await store.history.sample([])).toBe(false);
  expect(await store.history.samples({ from: 0, to: 60_000 })).toEqual([sample(0, 'z')]);
  expect(await store.history.samples({ from: 60_000, to: 60_001 })).toEqual([sample(60_000, 'a'), sample(60_000, 'b')]);
  await store.close();
});

test('reads the events after a number', async () => {
  const { store } = await openMemory();
  for (let number = 1; number <= 5; number += 1) await store.broker.enqueue([newTask(sampleId(number))]);
  const first = await store.history.events(0, 2);
  const rest = await store.history.events(first.at(-1)!.seq, 10);
  expect([...first, ...rest].map(({ kind, items }) => [kind, items[0]?.taskId])).toEqual(
    [1, 2, 3, 4, 5].map((number) => ['enqueue', sampleId(number)]),
  );
  expect(await store.history.lagMs()).toBe(0);
  await store.close();
});

test('finishes a search before it closes, and refuses the next', async () => {
  const { store } = await openMemory();
  await store.broker.enqueue(Array.from({ length: 900 }, (_, number) => newTask(sampleId(number))));
  const page = store.history.search(parseFilter('queue:none'), { after: null, limit: 10 });
  await store.close();
  expect(await page).toEqual({ tasks: [], next: null, scanned: 'all' });
  await expect(store.history.facets()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});
