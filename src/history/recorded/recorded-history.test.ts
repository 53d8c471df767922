/** How far a record is said to be behind. */

import { expect, test } from 'vitest';
import { systemClock } from '../../core/time.ts';
import { readLag } from './recorded-history.ts';

const lagOf = (recordedSeq: number, events: readonly { readonly seq: number; readonly at: number }[], now: number) =>
  readLag({
    recording: { cursor: async () => ({ seq: recordedSeq }) },
    broker: { info: async () => ({ now }) },
    outbox: {
      state: async () => ({ lastSeq: events.at(-1)?.seq ?? recordedSeq }),
      read: async (after: number) => events.filter(({ seq }) => seq > after),
    },
    clock: systemClock,
  } as unknown as Parameters<typeof readLag>[0]);

test('a record is as far behind as the oldest event that it lacks, and nothing behind when it lacks none', async () => {
  const events = [{ seq: 1, at: 1000 } as const, { seq: 2, at: 1400 } as const];
  expect(await lagOf(2, events, 1500)).toBe(0);
  expect(await lagOf(0, events, 1500)).toBe(500);
  expect(await lagOf(1, events, 1500)).toBe(100);
});

test('one that lacks what happened within this millisecond is behind', async () => {
  expect(await lagOf(1, [{ seq: 2, at: 1500 }], 1500)).toBe(1);
  expect(await lagOf(1, [{ seq: 2, at: 1501 }], 1500)).toBe(1);
});
