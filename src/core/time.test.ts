/** Checks what a deadline owes to whoever answered before it. */
import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { scheduleDeadline } from './time.ts';

test('a deadline comes when it is due, and not when it was cancelled', async () => {
  const clock = createManualClock();
  const came: number[] = [];
  const begin = clock.elapsed();
  scheduleDeadline(clock, 1_000, () => came.push(clock.elapsed() - begin));
  scheduleDeadline(clock, 500, () => came.push(-1))();
  await clock.advance(2_000);
  expect(came).toEqual([1_000]);
  expect(clock.timers()).toBe(0);
});

test('after a standstill an answer that lay ready cancels the deadline that passed meanwhile', async () => {
  const clock = createManualClock();
  const came: string[] = [];
  const cancel = scheduleDeadline(clock, 1_000, () => came.push('answered'));
  scheduleDeadline(clock, 1_000, () => came.push('silent'));
  // Timers come before messages when a loop turns again.
  clock.schedule(1_000, cancel);
  clock.freeze(30_000);
  await clock.advance(1_010);
  expect(came).toEqual(['silent']);
});
