/** Tests that totals of minutes only grow, miss nothing and count nothing twice. */
import { expect, test } from 'vitest';
import { isoTime } from '../core/time.ts';
import { createTotals, type Totals } from './totals.ts';

const minuteMs = 60_000;
const start = Date.UTC(2026, 10, 23, 9, 0, 0);

const ended = (minute: number, succeeded: number, queue = 'default') => ({
  at: isoTime(start + minute * minuteMs),
  queue,
  succeeded,
  failed: 1,
  cancelled: 0,
  retried: 2,
  waitMs: 10,
  runMs: 20,
  waited: [succeeded, succeeded + 1],
  ran: [] as number[],
});

function rig() {
  let elapsed = 0;
  const totals = createTotals(() => elapsed);
  return {
    totals,
    /** Scrapes at a time in minutes, as the store tells it then. */
    take(at: number, rows: readonly ReturnType<typeof ended>[], lagMs = 0) {
      elapsed = at * minuteMs;
      totals.take({ now: isoTime(start + at * minuteMs), lagMs, ended: rows });
      return succeeded(totals);
    },
    elapse(minutes: number) {
      elapsed += minutes * minuteMs;
    },
  };
}

const succeeded = (totals: Totals, queue = 'default') => totals.queues.get(queue)?.succeeded ?? 0;

test('a minute that grows is counted by its last word, also long after it was closed', () => {
  const { take } = rig();
  expect(take(1.5, [ended(0, 10), ended(1, 3)])).toBe(13);
  expect(take(1.9, [ended(0, 10), ended(1, 7)])).toBe(17);
  expect(take(2.5, [ended(1, 8), ended(2, 1)])).toBe(19);
  expect(take(9.5, [ended(1, 8), ended(2, 4), ended(9, 5)])).toBe(27);
  expect(take(9.6, [ended(1, 8), ended(2, 4), ended(9, 6)])).toBe(28);
});

test('how long tasks waited and ran is added up bucket by bucket, and is as it was where nothing is told of it', () => {
  const { take, totals } = rig();
  take(1.5, [ended(0, 10), ended(1, 3)]);
  expect([totals.queues.get('default')?.waited, totals.queues.get('default')?.ran]).toEqual([[13, 15], []]);
  take(9.5, [ended(1, 8), { ...ended(9, 5), waited: [], ran: [4, 5] }]);
  expect([totals.queues.get('default')?.waited, totals.queues.get('default')?.ran]).toEqual([
    [18, 20],
    [4, 5],
  ]);
});

test('what ended before it began to count is left out', () => {
  const { take } = rig();
  expect(take(30.5, [ended(3, 100), ended(29, 1), ended(30, 2)])).toBe(3);
});

test('as many minutes are asked for as passed since what is closed', () => {
  const { totals, take, elapse } = rig();
  expect(totals.minutesWanted()).toBe(2);
  take(1.5, [ended(1, 1)]);
  elapse(10);
  expect(totals.minutesWanted()).toBe(13);
  elapse(1_000);
  expect(totals.minutesWanted()).toBe(60);
});

test('minutes stay open for as long as the record is behind', () => {
  const { take } = rig();
  take(1.5, [ended(1, 1)], 5 * minuteMs);
  expect(take(7.5, [ended(1, 4)], 5 * minuteMs)).toBe(4);
  expect(take(8.5, [ended(1, 9)], 5 * minuteMs)).toBe(9);
});

test('while the record is away nothing changes', () => {
  const { totals, take } = rig();
  take(1.5, [ended(1, 6)]);
  totals.take({ now: isoTime(start + 2.5 * minuteMs), lagMs: 60_000, ended: null });
  expect(succeeded(totals)).toBe(6);
  expect(totals.queues.get('default')).toMatchObject({ failed: 1, retried: 2, waitMs: 10, runMs: 20 });
});

test('the last whole minute is told apart', () => {
  const { totals, take } = rig();
  take(2.5, [ended(1, 60), ended(2, 5)]);
  expect(totals.lastMinute('default').succeeded).toBe(60);
  expect(totals.lastMinute('other').succeeded).toBe(0);
});
