/** Tests what is kept of the last events. */
import { expect, test } from 'vitest';
import type { BatchEvent } from '../core/events.ts';
import { createRecent } from './recent.ts';

const event = (seq: number, items = 1): BatchEvent => ({
  seq,
  at: seq,
  kind: 'enqueue',
  items: Array.from({ length: items }, (_, index) => ({
    taskId: `${seq}-${index}`,
    name: 'n',
    queue: 'q',
    version: 1,
    from: null,
    to: 'queued',
    reason: null,
    attempt: 0,
  })),
});

test('it has everything behind the number it says, and no more tasks than it may', () => {
  const recent = createRecent(10);
  expect(recent.from).toBeNull();
  recent.restart(5);
  for (let seq = 6; seq < 5_000; seq++) {
    recent.add(event(seq, seq % 3));
    const kept = recent.after(recent.from ?? 0);
    expect(kept[0]?.seq).toBe((recent.from ?? 0) + 1);
    expect(kept.at(-1)?.seq).toBe(seq);
    expect(kept.reduce((sum, { items }) => sum + items.length, 0)).toBeLessThanOrEqual(10);
  }
  expect(recent.after(4_997).map(({ seq }) => seq)).toEqual([4_998, 4_999]);
  expect(recent.after(5_000)).toEqual([]);
});

test('one event that is more than it may keep leaves nothing, and says so', () => {
  const recent = createRecent(10);
  recent.restart(0);
  recent.add(event(11, 11));
  expect([recent.from, recent.after(0)]).toEqual([11, []]);
});
