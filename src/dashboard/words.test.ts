/** Tests how numbers, times and durations read on a page. */
import { expect, test } from 'vitest';
import { ago, count, lastTime, stopwatch, tookOrWaits } from './words.ts';

const now = Date.UTC(2026, 10, 23, 9, 0, 0);
const at = (ms: number) => new Date(now + ms).toISOString();

test.each([
  [-500, 'now'],
  [-3_000, '3.0 s ago'],
  [-61_000, '1 m ago'],
  [-7_300_000, '2 h ago'],
  [41_000, 'in 41 s'],
  [3 * 86_400_000, 'in 3 d'],
])('%d ms from now reads %j', (ms, text) => {
  expect(ago(at(ms), now)).toBe(text);
});

test.each([
  [0, '0:00'],
  [-5, '0:00'],
  [252_000, '4:12'],
  [3_852_000, '1:04:12'],
])('a stopwatch at %d ms shows %j', (ms, text) => {
  expect(stopwatch(ms)).toBe(text);
});

test('the last column of a list says what matters in each state', () => {
  const task = { view: 'queued', tookMs: null, startedAt: null, claimedAt: null, dueAt: at(-5_000) } as const;
  expect(tookOrWaits(task, now)).toBe('waits 5.0 s');
  expect(tookOrWaits({ ...task, view: 'scheduled', dueAt: at(90_000) }, now)).toBe('in 1 m');
  expect(tookOrWaits({ ...task, view: 'retrying' }, now)).toBe('due');
  expect(tookOrWaits({ ...task, view: 'running', startedAt: at(-12_000) }, now)).toBe('12 s');
  expect(tookOrWaits({ ...task, view: 'failed', tookMs: 932 }, now)).toBe('932 ms');
  expect(tookOrWaits({ ...task, view: 'cancelled' }, now)).toBe('–');
});

test('a list shows the time of the last step, and numbers with separators', () => {
  expect(lastTime({ finishedAt: null, startedAt: 'b', createdAt: 'a' })).toBe('b');
  expect(count(10_332)).toBe('10,332');
});
