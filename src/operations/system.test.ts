/** Tests the sums over the last minutes, and health beside a record that is away. */
import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Activity } from '../history/history.ts';
import type { OperationContext } from './operation.ts';
import { systemActivity, systemHealth } from './system.ts';

const minuteMs = 60_000;
const now = 100_000 * minuteMs + 30_000;

const ended = (succeeded: number, failed = 0) => ({ succeeded, failed, cancelled: 0, retried: 1 });
const runMs = 30;

/** What is asked of the record, and what is answered, for so many minutes. */
async function activityOf(minutes: number, told: Partial<Activity>) {
  const asked: unknown[] = [];
  const activity = async (query: unknown): Promise<Activity> => {
    asked.push(query);
    return { steps: [], parts: [], recent: [], names: [], ...told };
  };
  const store = { broker: { info: async () => ({ now }) }, history: { activity } };
  const answer = await systemActivity.run({ store } as unknown as OperationContext, { minutes });
  return { asked, answer };
}

test('adds up minutes, the running one last, and shows the empty ones; queues by part and names by themselves', async () => {
  const { asked, answer } = await activityOf(3, {
    steps: [
      { at: 99_998 * minuteMs, ...ended(2) },
      { at: 99_998 * minuteMs, ...ended(3, 1) },
      { at: 100_000 * minuteMs, ...ended(7) },
      { at: 5, ...ended(99) },
    ],
    parts: [
      { part: 0, queue: 'q', ...ended(5, 1) },
      { part: 29, queue: 'q', ...ended(7) },
      { part: 29, queue: 'q', ...ended(1) },
    ],
    recent: [{ queue: 'q', ...ended(4) }],
    names: [
      { queue: 'q', name: 'n', ...ended(5, 1), runMs },
      { queue: 'q', name: 'm', ...ended(7), runMs },
      { queue: 'p', name: 'm', ...ended(1), runMs },
    ],
  });
  const recent = { from: 99_998 * minuteMs, to: 100_000 * minuteMs };
  const range = { from: 99_998 * minuteMs, to: 100_001 * minuteMs, stepMs: minuteMs, partMs: minuteMs / 10 };
  expect(asked).toEqual([{ ...range, recent, namesFrom: range.from }]);
  expect(answer.minutes).toMatchObject([
    { at: '1970-03-11T10:38:00.000Z', succeeded: 5, failed: 1, retried: 2 },
    { succeeded: 0, failed: 0, retried: 0 },
    { succeeded: 7, failed: 0, retried: 1 },
  ]);
  const { q } = answer.queues;
  expect([q?.finished.length, q?.finished[0], q?.finished[29], q?.perMinute]).toEqual([30, 6, 8, 2]);
  expect(answer.names).toEqual({
    n: { succeeded: 5, failed: 1, meanRunMs: 5 },
    m: { succeeded: 8, failed: 0, meanRunMs: 8 },
  });
});

test.each([
  [360, minuteMs, 12 * minuteMs, 30, 360, 360],
  [1_440, minuteMs, 60 * minuteMs, 24, 1_440, 1_440],
  [10_080, 30 * minuteMs, 360 * minuteMs, 28, 336, 1_421],
])(
  'asks for %s minutes in steps and parts that are kept added up',
  async (minutes, stepMs, partMs, parts, steps, named) => {
    const { asked, answer } = await activityOf(minutes, { parts: [{ part: parts - 1, queue: 'q', ...ended(2) }] });
    expect(asked).toMatchObject([{ stepMs, partMs, namesFrom: 100_001 * minuteMs - named * minuteMs }]);
    expect([answer.minutes.length, answer.stepMinutes]).toEqual([steps, stepMs / minuteMs]);
    expect([answer.queues.q?.finished.length, answer.queues.q?.finished.at(-1)]).toEqual([parts, 2]);
  },
);

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
