/** Checks when a handler waits for the store to know of its start. */

import { expect, test } from 'vitest';
import { createWorkerRig, type WorkerRig } from '../../test/support/worker-rig.ts';

/** As if its worker had died before a word of its start. */
async function interrupt({ memory }: WorkerRig, taskId: string): Promise<void> {
  const [task] = await memory.getTasks([taskId]);
  await memory.cancel({ taskIds: [taskId], reason: null });
  await memory.remove([taskId]);
  if (task != null) await memory.restore([{ ...task, interruptions: 1 }]);
}

test('a task that was lost before a word of its start begins only when the store has that word', async () => {
  const known: (number | null)[] = [];
  const rig = createWorkerRig({ a: async (_, ctx) => void known.push((await rig.task(ctx.id)).startedAt) });
  const [fresh = '', lost = ''] = await rig.enqueue({}, {});
  await interrupt(rig, lost);
  rig.worker.start();
  await rig.clock.advance(1);
  expect(known).toEqual([null, expect.any(Number)]);
  expect([await rig.task(fresh), await rig.task(lost)]).toMatchObject([
    { state: 'succeeded' },
    { state: 'succeeded', attempt: 1 },
  ]);
  await rig.worker.stop();
});

test('a worker that stops gives back uncharged what still waits for the word of its start', async () => {
  let begun = 0;
  const rig = createWorkerRig({ a: () => void begun++ });
  const [id = ''] = await rig.enqueue({});
  await interrupt(rig, id);
  rig.faults.fail = (method) => (method === 'heartbeat' ? new Error('away') : null);
  rig.worker.start();
  await rig.clock.advance(100);
  const stopping = rig.worker.stop({ drainMs: 100 });
  await rig.clock.advance(10_000);
  await stopping;
  expect(await rig.task(id)).toMatchObject({ state: 'queued', attempt: 0, interruptions: 1 });
  expect(begun).toBe(0);
});
