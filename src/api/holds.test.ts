/** Tests that requests wait until their callers have read, and not for ever. */

import { expect, test } from 'vitest';
import { createManualClock } from '../../test/support/manual-clock.ts';
import { limits } from '../core/limits.ts';
import { createHolds } from './holds.ts';

function createRig(most?: number) {
  const clock = createManualClock();
  const holds = createHolds(clock, most);
  const said: string[] = [];
  const readers = new Set<string>();
  const hold = (name: string, waitMs = 1_000): boolean =>
    holds.add({
      until: clock.elapsed() + waitMs,
      hasRead: () => readers.has(name),
      goOn: () => said.push(`${name} goes on`),
      refuse: () => said.push(`${name} is refused`),
    });
  return { clock, holds, said, readers, hold };
}

test('a request goes on when its caller has read, and others wait', async () => {
  const { clock, holds, said, readers, hold } = createRig();
  hold('one');
  hold('other');
  await clock.advance(2 * limits.unreadLookMs);
  expect(said).toEqual([]);
  readers.add('one');
  await clock.advance(limits.unreadLookMs);
  expect([said, holds.size]).toEqual([['one goes on'], 1]);
});

test('one whose caller does not read is refused in the end, and then nothing is looked at any more', async () => {
  const { clock, holds, said, hold } = createRig();
  hold('deaf', 1_000);
  await clock.advance(999);
  expect(said).toEqual([]);
  await clock.advance(2 * limits.unreadLookMs);
  expect([said, holds.size, clock.timers()]).toEqual([['deaf is refused'], 0, 0]);
});

test('more than may be held are not', () => {
  const { holds, said, hold } = createRig(2);
  expect([hold('a'), hold('b'), hold('c')]).toEqual([true, true, false]);
  expect([said, holds.size]).toEqual([[], 2]);
});

test('what goes on may be held again', async () => {
  const { clock, holds, readers } = createRig();
  let times = 0;
  const goOn = (): void => {
    times++;
    readers.clear();
    if (times < 3) holds.add({ until: 60_000, hasRead: () => readers.has('a'), goOn, refuse: () => undefined });
  };
  goOn();
  for (let count = 0; count < 2; count++) {
    readers.add('a');
    await clock.advance(limits.unreadLookMs);
  }
  expect([times, holds.size, clock.timers()]).toEqual([3, 0, 0]);
});
