/** Tests that a worker over HTTP takes nothing from another: neither from its runs nor from its names. */

import { beforeEach, expect, test } from 'vitest';
import { limits } from '../../src/core/limits.ts';
import { expectProblem, json } from '../support/http.ts';
import { createWireWorker, type WireWorker } from '../support/wire-worker.ts';
import { onEachWorkerServer } from '../support/worker-server.ts';

await onEachWorkerServer((server) => {
  let world: WireWorker;
  beforeEach(async () => {
    world = await createWireWorker(server());
  });

  test('who names the lease of another takes no room for steps and lines from its run', async () => {
    const { worker, enqueue, claimOne, call, post } = world;
    await enqueue();
    const { lease } = await claimOne();
    const { token: key } = await server().newKey({ label: 'mallory' });
    const steps = Array.from({ length: limits.stepsMax }, (_, index) => ({ name: `s${index}` }));
    const logs = Array.from({ length: limits.logLinesMax }, () => ({ message: 'x' }));
    const beats = [{ lease, ranMs: 1, steps, logs }];
    expect(await json(await post('heartbeat', { worker, beats }, key))).toMatchObject({ answers: ['lost'] });
    const outcomes = [{ lease, outcome: 'done', ranMs: 1, logs }];
    await post('outcome', { worker: worker.id, outcomes }, key);
    const own = { lease, ranMs: 1, steps: [{ name: 'own' }], logs: [{ message: 'began' }] };
    expect(await call('heartbeat', { worker, beats: [own] })).toMatchObject({ answers: ['ok'] });
    const { held } = server().context.remote;
    const [known] = await held.find('nobody', [{ taskId: lease.id, token: '', epoch: lease.epoch }]);
    expect({ steps: [...known!.steps.keys()], lines: known!.logLines }).toEqual({ steps: ['own'], lines: 1 });
  });

  test('a key for some queues does not speak for a task that lives in another', async () => {
    const { queue, worker, call, post } = world;
    const name = `bill.${queue}`;
    await call('register', { worker, definitions: [{ name, queue, timeoutMs: 5_000 }] });
    const { token: key } = await server().newKey({ queues: [`${queue}.mail`] });
    const other = { worker: { id: `m-${queue}` }, definitions: [{ name, queue: `${queue}.mail`, timeoutMs: 1 }] };
    await expectProblem(await post('register', other, key), 403, 'QUEUE_FORBIDDEN', name);
    await expectProblem(await post('heartbeat', other, key), 403, 'QUEUE_FORBIDDEN', name);
    const published = (await server().store.broker.getWorkers()).flatMap(({ definitions }) => definitions);
    expect(published.filter((each) => each.name === name)).toMatchObject([{ queue, timeoutMs: 5_000 }]);
    await call('deregister', { worker });
    expect((await post('register', other, key)).status).toBe(200);
    expect((await post('register', other, key)).status).toBe(200);
  });
});
