/** Tests the sums over the last minutes, and health beside a record that is away. */
import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Activity } from '../history/history.ts';
import type { OperationContext } from './operation.ts';
import { systemActivity, systemHealth } from './system.ts';

const minuteMs = 60_000;
const now = 1_000 * minuteMs + 30_000;

const ended = (succeeded: number, failed = 0) => ({ succeeded, failed, cancelled: 0, retried: 1 });
const runMs = 30;

test('adds up minutes, the running one last, and shows the empty ones; queues by part and names by themselves', async () => {
  const asked: unknown[] = [];
  const activity: Activity = {
    minutes: [
      { at: 998 * minuteMs, ...ended(2) },
      { at: 998 * minuteMs, ...ended(3, 1) },
      { at: 1_000 * minuteMs, ...ended(7) },
      { at: 5, ...ended(99) },
    ],
    parts: [
      { part: 0, queue: 'q', name: 'n', ...ended(5, 1), recent: 4, runMs },
      { part: 29, queue: 'q', name: 'm', ...ended(7), recent: 0, runMs },
      { part: 29, queue: 'q', name: 'm', ...ended(1), recent: 0, runMs },
    ],
  };
  const store = {
    broker: { info: async () => ({ now }) },
    history: {
      async activity(range: unknown) {
        asked.push(range);
        return activity;
      },
    },
  };
  const { minutes, queues, names } = await systemActivity.run({ store } as unknown as OperationContext, { minutes: 3 });
  const recent = { from: 998 * minuteMs, to: 1_000 * minuteMs };
  expect(asked).toEqual([{ from: 998 * minuteMs, to: 1_001 * minuteMs, parts: 30, recent }]);
  expect(minutes).toMatchObject([
    { at: '1970-01-01T16:38:00.000Z', succeeded: 5, failed: 1, retried: 2 },
    { succeeded: 0, failed: 0, retried: 0 },
    { succeeded: 7, failed: 0, retried: 1 },
  ]);
  expect([queues.q?.finished[0], queues.q?.finished[29], queues.q?.perMinute]).toEqual([6, 8, 2]);
  expect(names).toEqual({
    n: { succeeded: 5, failed: 1, meanRunMs: 5 },
    m: { succeeded: 8, failed: 0, meanRunMs: 8 },
  });
});

const info = { kind: 'redis', durability: 'standard', detail: 'aof', protocol: 1, incarnation: 'x', now };
const kept = { durability: 'strict', detail: 'fsync=on' };
const answer = async () => [];

/** Health of a store with a record beside it. */
function health(losses: () => Promise<unknown>, clock = createManualClock(now)) {
  const store = {
    broker: { info: async () => info, getWorkers: answer },
    history: { lagMs: async () => 70 },
    recording: { losses, durability: () => kept },
    relay: { status: async () => ({ waiting: 1, setAside: 0, lagMs: 5 }) },
  };
  return systemHealth.run({ store, clock } as unknown as OperationContext, {});
}

test('health is that of the live store while the record cannot be reached, and says so', async () => {
  expect(await health(async () => ({ gap: null, unrecorded: [] }))).toMatchObject({
    record: { problem: null, database: kept },
    relay: { waiting: 1 },
  });
  const down = taskFlowError('STORE_UNREACHABLE', { problem: 'nobody listens' });
  expect(await health(() => Promise.reject(down))).toMatchObject({
    status: 'ok',
    lagMs: 70,
    record: { problem: { code: 'STORE_UNREACHABLE', message: down.message }, database: null, gap: null, unrecorded: 0 },
    relay: null,
  });
});

test('health waits no longer for a silent record than a probe would, and hides no mistake', async () => {
  const clock = createManualClock(now);
  const silent = health(() => new Promise(() => undefined), clock);
  await clock.advance(limits.recordAskMs);
  expect(await silent).toMatchObject({ status: 'ok', record: { problem: { code: 'STORE_UNREACHABLE' } } });
  await expect(health(() => Promise.reject(new Error('a mistake')))).rejects.toThrow('a mistake');
});
