/** Tests what workers over HTTP may not do: queues without end, on every store. */

import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/core/time.ts';
import { createQueueNames } from '../../src/operations/queue-names.ts';
import { expectProblem } from '../support/http.ts';
import { completeTask } from '../support/operation-samples.ts';
import { createWireWorker, type WireWorker } from '../support/wire-worker.ts';
import { onEachWorkerServer } from '../support/worker-server.ts';

await onEachWorkerServer((server) => {
  let world: WireWorker;
  beforeEach(async () => {
    world = await createWireWorker(server());
  });

  test('a run that brings a task for a queue too many has failed, and those reported with it have not', async () => {
    const { queue, enqueue, claim, outcome, get } = world;
    const [id, other] = [await enqueue(), await enqueue()];
    const leaseOf = new Map((await claim()).map(({ id: claimed, lease }) => [claimed, lease]));
    const { context } = server();
    const { queueNames, ids } = context;
    const getQueues = async () => [{ name: queue }] as never;
    Object.assign(context, { queueNames: createQueueNames({ getQueues }, systemClock, 1) });
    onTestFinished(() => void Object.assign(context, { queueNames }));
    const next = { ...completeTask(ids.next()), queue: `${queue}.next` };
    const beside = { ...completeTask(ids.next()), queue };
    const done = { outcome: 'done', ranMs: 1 };
    await outcome(
      { ...done, lease: leaseOf.get(id), spawn: [beside, next] },
      { ...done, lease: leaseOf.get(other), spawn: [{ ...beside, id: ids.next() }] },
    );
    expect(await get(id)).toMatchObject({ view: 'retrying', error: { message: expect.stringContaining('1 queues') } });
    expect(await get(other)).toMatchObject({ state: 'succeeded' });
    for (const { id: brought } of [next, beside])
      await expectProblem(await world.person(`/tasks/${brought}`), 404, 'TASK_NOT_FOUND');
  });
});
