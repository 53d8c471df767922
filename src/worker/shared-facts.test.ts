/** Checks what one thread reads of what another wrote, over the same memory. */

import { expect, test } from 'vitest';
import { SharedFacts } from './shared-facts.ts';

const id = (number: number): string => `01K8Q2M4ZJ${String(number).padStart(16, '0')}`;

function both() {
  const loop = new SharedFacts(300);
  return { loop, guard: new SharedFacts(300, loop.buffer) };
}

test('the guard sees turns, who is in flight, and who began last', () => {
  const { loop, guard } = both();
  loop.turn(false);
  loop.begin(0, id(1), 1);
  loop.begin(299, id(2), 70_000);
  loop.begin(299, id(3), 2);
  loop.end(299);
  loop.end(0);
  expect([guard.turns, guard.isDebugged]).toEqual([1, false]);
  expect(guard.inFlight()).toEqual([299]);
  expect(guard.begun()).toEqual([
    { taskId: id(1), epoch: 1, definition: 0 },
    { taskId: id(2), epoch: 70_000, definition: 299 },
    { taskId: id(3), epoch: 2, definition: 299 },
  ]);
});

test('of thousands that began the newest are there', () => {
  const { loop, guard } = both();
  for (let number = 0; number < 5_000; number++) loop.begin(1, id(number), 1);
  const begun = new Set(guard.begun().map(({ taskId }) => taskId));
  expect(begun.size).toBe(256);
  expect(begun.has(id(4_999))).toBe(true);
  expect(begun.has(id(4_700))).toBe(false);
});

test('the loop learns how long ago its leases were renewed, and what was answered for it', () => {
  const { loop, guard } = both();
  expect([loop.renewedAgoMs, loop.answered]).toEqual([Infinity, 0]);
  guard.renew(1_000);
  guard.answer(7);
  expect(loop.renewedAgoMs).toBeGreaterThanOrEqual(1_000);
  expect(loop.renewedAgoMs).toBeLessThan(60_000);
  expect(loop.answered).toBe(7);
});
