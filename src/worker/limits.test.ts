/** Checks what a worker with many slots does with tasks that may not run together. */
import { expect, test } from 'vitest';
import { createWorkerRig } from '../../test/support/worker-rig.ts';
import { sleep } from '../core/time.ts';

test('tasks of one limit run one after the other, the next as soon as the slot is free', async () => {
  let running = 0;
  let most = 0;
  const rig = createWorkerRig({
    slow: async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(rig.clock, 10);
      running -= 1;
    },
  });
  const limits = [{ name: 'one', max: 1, rate: null }];
  await rig.enqueue(...Array.from({ length: 5 }, () => ({ name: 'slow', limits })));
  rig.worker.start();
  // Five runs of 10 ms: with the poll of a second alone it would be four seconds.
  await rig.clock.advance(200);
  expect(rig.events.filter((event) => event === 'succeeded slow')).toHaveLength(5);
  expect(most).toBe(1);
  await rig.worker.stop();
});
