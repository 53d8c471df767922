/** Tests that bulk operations, which are tasks too, are touched by operations on operations alone. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bulkStart, internalQueue, readBulkOrder } from '../../src/core/bulk.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { doBulkPage } from '../../src/engine/bulk-page.ts';
import { type Actor, type Operation, perform } from '../../src/operations/operation.ts';
import { type OperationName, operations } from '../../src/operations/registry.ts';
import { claimRequest, finish, heartbeatRequest, presence, settlement } from '../conformance/samples.ts';
import { createOperationWorld, type OperationWorld } from '../support/operation-world.ts';

const ada: Actor = { name: 'ada', role: 'admin' };
const bob: Actor = { name: 'bob', role: 'operator', scopes: ['read', 'operate'] };
const everywhere: Actor = { ...ada, name: 'eve', queues: ['*'] };

let world: OperationWorld;
beforeEach(async () => {
  world = await createOperationWorld();
});
afterEach(() => world.close());

const ask = (name: OperationName, input: unknown, actor: Actor) =>
  perform(operations[name] as unknown as Operation<unknown, unknown>, { ...world.context, actor }, input) as Promise<
    Record<string, unknown>
  >;
const begun = async (): Promise<string> => {
  const { operation } = await ask('operation.remove-tasks', { q: 'queue:mail' }, ada);
  return (operation as { id: string }).id;
};
const stopped = async (): Promise<string> => {
  const id = await begun();
  await ask('operation.stop', { id }, bob);
  return id;
};
const taskOf = async (id: string) => (await world.broker.getTasks([id]))[0];

describe('nobody brings back, hastens, moves or drops a removal as a task', () => {
  test.each([
    ['task.retry', {}],
    ['task.cancel', {}],
    ['task.remove', {}],
    ['task.run-now', {}],
    ['task.move', { queue: 'mail' }],
    ['task.update', { priority: 1 }],
    ['flow.cancel', {}],
  ] as const)('%s', async (name, more) => {
    const code = name === 'flow.cancel' ? 'FLOW_NOT_FOUND' : 'TASK_NOT_FOUND';
    for (const id of [await begun(), await stopped()]) {
      const before = await taskOf(id);
      for (const actor of name === 'task.remove' ? [ada] : [bob, ada])
        await expect(ask(name, { id, ...more }, actor)).rejects.toMatchObject({ code });
      expect(await taskOf(id)).toEqual(before);
    }
  });

  test.each([
    ['task.retry-many', {}],
    ['task.cancel-many', {}],
    ['task.remove-many', {}],
    ['task.update-many', { queue: 'mail' }],
  ] as const)('%s', async (name, more) => {
    const ids = [await begun(), await stopped()];
    const before = await world.broker.getTasks(ids);
    for (const actor of [ada, everywhere]) {
      const { tasks } = await ask(name, { ids: [...ids, world.tasks.queued], ...more }, actor);
      expect(tasks).toMatchObject([{ outcome: 'unknown', state: null }, { outcome: 'unknown', state: null }, {}]);
      expect(tasks).not.toMatchObject([{}, {}, { outcome: 'unknown' }]);
    }
    expect(await world.broker.getTasks(ids)).toEqual(before);
  });

  test.each([
    { verb: 'retry' },
    { verb: 'cancel' },
    { verb: 'run-now' },
    { verb: 'move', queue: 'mail' },
    { verb: 'priority', priority: 1 },
  ])('operation.create to $verb what is named', async (input) => {
    const ids = [await begun(), await stopped()];
    const before = await world.broker.getTasks(ids);
    const { operation } = await ask('operation.create', { ...input, ids }, bob);
    const made = await taskOf((operation as { id: string }).id);
    const run = { order: readBulkOrder(made!.payload), filter: parseFilter(''), askedAt: made!.createdAt };
    const { broker, history } = world.context.store;
    const failures = ids.map((taskId) => ({ taskId, outcome: 'unknown' }));
    expect(await doBulkPage({ broker, history }, run, bulkStart, 10)).toMatchObject({ done: 0, refused: 2, failures });
    expect(await world.broker.getTasks(ids)).toEqual(before);
  });

  test('it is still stopped, and shown', async () => {
    const id = await stopped();
    expect(await ask('operation.get', { id }, bob)).toMatchObject({ state: 'cancelled' });
    expect(await ask('task.get', { id }, bob)).toMatchObject({ queue: internalQueue });
  });
});

describe('a worker over HTTP', () => {
  const remote: Actor = { name: 'remote', role: 'operator', scopes: ['work'] };
  const token = 'c0ffee5eed0123456789';

  test.each([internalQueue, 'a","payments', 'mail.*', ' '])(
    'neither claims nor serves a queue named %j',
    async (name) => {
      await begun();
      const queues = { [name]: 1 };
      const worker = { id: 'w-1', queues };
      for (const [operation, input] of [
        ['worker.claim', { worker: 'w-1', token, queues }],
        ['worker.outcome', { worker: 'w-1', outcomes: [], claim: { token, queues } }],
        ['worker.register', { worker }],
        ['worker.heartbeat', { worker }],
        ['worker.deregister', { worker }],
      ] as const)
        await expect(ask(operation, input, remote)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
      expect(await world.context.store.broker.getWorkers()).not.toMatchObject([{}, {}]);
    },
  );
});

test.each(['{}', 'null', '[]', '{"done":1,"refused":0,"failures":[7],"after":null}'])(
  'an operation whose result is %s is listed as if nothing were known of it',
  async (result) => {
    const { operation } = await ask('operation.create', { verb: 'retry', q: 'queue:mail', delay: 0 }, ada);
    const { id } = operation as { id: string };
    const queues = [{ name: internalQueue, limit: 1 }];
    const [claimed] = await world.broker.claim(claimRequest('b'.repeat(32), { queues }));
    await world.broker.settle([settlement(id, claimed!.lease, finish('succeeded', { result }))]);
    const { operations: listed } = await ask('operation.list', {}, bob);
    expect(listed).toMatchObject([{ id, state: 'succeeded', done: 0, refused: 0, failures: [] }]);
  },
);

test('a purge means its queue alone, however that is called', async () => {
  const name = 'a","mail';
  const worker = presence({ workerId: 'w-2', name: 'w-2', queues: { [name]: 1 } });
  await world.broker.heartbeat(heartbeatRequest([], { worker }));
  await world.enqueue({ queue: 'mail' });
  expect(await ask('queue.purge', { name, dryRun: true }, ada)).toMatchObject({ matched: 0 });
  expect(await ask('queue.purge', { name: 'mail', dryRun: true }, ada)).not.toMatchObject({ matched: 0 });
});
