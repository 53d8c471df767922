/** Tests the sums over the last minutes. */
import { expect, test } from 'vitest';
import type { Minute } from '../history/history.ts';
import type { OperationContext } from './operation.ts';
import { systemActivity } from './system.ts';

const minuteMs = 60_000;
const now = 1_000 * minuteMs + 30_000;

function minute(at: number, succeeded: number, failed = 0): Minute {
  return { at, queue: 'q', name: 'n', succeeded, failed, cancelled: 0, retried: 1, waitMs: 0, runMs: 0 };
}

test('adds up queues and names by minute, the running one last, and shows the empty ones', async () => {
  const asked: unknown[] = [];
  const rows = [minute(998 * minuteMs, 2), minute(998 * minuteMs, 3, 1), minute(1_000 * minuteMs, 7), minute(5, 99)];
  const store = {
    broker: { info: async () => ({ now }) },
    history: {
      async minutes(range: unknown) {
        asked.push(range);
        return rows;
      },
    },
  };
  const { minutes } = await systemActivity.run({ store } as unknown as OperationContext, { minutes: 3 });
  expect(asked).toEqual([{ from: 998 * minuteMs, to: 1_001 * minuteMs }]);
  expect(minutes).toMatchObject([
    { at: '1970-01-01T16:38:00.000Z', succeeded: 5, failed: 1, retried: 2 },
    { succeeded: 0, failed: 0, retried: 0 },
    { succeeded: 7, failed: 0, retried: 1 },
  ]);
});
