/** Tests what workers over HTTP may not do: queues without end, leases of others; on every store. */

import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { systemClock } from '../../src/core/time.ts';
import { createForeignLeases } from '../../src/operations/foreign-leases.ts';
import { createQueueNames } from '../../src/operations/queue-names.ts';
import { expectProblem, json } from '../support/http.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { completeTask } from '../support/operation-samples.ts';
import { waitFor } from '../support/wait-for.ts';
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

  test('who names the lease of another worker is refused, and stands in the audit', async () => {
    const { worker, token, queue, claimOne, call, enqueue, outcome, post } = world;
    const id = await enqueue();
    const { lease } = await claimOne();
    const { key, token: secret } = await server().newKey({ label: `mallory of ${queue}` });
    const done = { lease, outcome: 'done', ranMs: 1 };
    await post('heartbeat', { worker, beats: [{ lease }] }, secret);
    await post('outcome', { worker: worker.id, outcomes: [done] }, secret);
    await post('parents', { worker: worker.id, lease, ids: [id] }, secret);
    const rows = async (who: string) => {
      const { rows: told } = await json(await world.person(`/audit?${new URLSearchParams({ who })}`));
      return told as Record<string, unknown>[];
    };
    const told = { outcome: 'LEASE_LOST', key: key.id, text: `named the lease of another worker on ${id}` };
    const mallory = `worker:mallory of ${queue}`;
    await waitFor(async () => expect(await rows(mallory)).toHaveLength(3));
    expect(await rows(mallory)).toMatchObject(
      ['worker.parents', 'worker.outcome', 'worker.heartbeat'].map((operation) => ({ ...told, operation })),
    );
    // Its own, sent twice, and one that is over, are what happens to everybody.
    const before = (await rows('worker:worker')).length;
    expect(await outcome(done)).toEqual(['applied']);
    expect(await outcome(done)).toEqual(['alreadyApplied']);
    const next = await enqueue();
    const [{ lease: old } = { lease: null }] = await world.claim(2);
    await outcome({ lease: old, outcome: 'released' });
    await call('claim', { worker: 'py-other', token: token(3), queues: { [queue]: 1 } });
    expect(await outcome({ ...done, lease: { ...old, token: 'of-before' } })).toEqual(['stale']);
    await server().store.access?.audit.settled();
    expect([next, (await rows('worker:worker')).length]).toEqual([old?.id, before]);
  });
});

test('rows about leases of others are bounded', async () => {
  const clock = createManualClock();
  const begun: string[] = [];
  const audit = { begin: async ({ text }: { text: string }) => String(begun.push(text)), end: () => undefined };
  const context = { actor: { name: 'm', role: 'operator' }, store: { access: { audit } } } as never;
  const foreign = createForeignLeases(clock);
  const ask = () =>
    foreign.note(context, {
      ...{ operation: 'worker.outcome', worker: 'w', workerId: 'mine' },
      leases: [{ taskId: 't', token: 'x', epoch: 2 }],
      found: [{ epoch: 2, workerId: 'yours' }],
    });
  for (let asked = 0; asked < 1_000; asked++) ask();
  expect(begun).toHaveLength(limits.foreignLeasesToldMax);
  await clock.advance(60_000);
  ask();
  expect(begun).toHaveLength(limits.foreignLeasesToldMax + 1);
});
