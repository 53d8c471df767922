/** Tests bulk operations on every store: the dry run, the undo, the work, what dies in it, and who sees what of it. */

import { describe, expect, test } from 'vitest';
import { internalQueue } from '../../src/core/bulk.ts';
import { limits } from '../../src/core/limits.ts';
import {
  operationCreate,
  operationGet,
  operationList,
  operationRemove,
  operationStop,
  queuePurge,
} from '../../src/operations/bulk.ts';
import { queueList } from '../../src/operations/queue.ts';
import { systemCounts } from '../../src/operations/system.ts';
import { taskGet, taskList } from '../../src/operations/task.ts';
import { claimRequest, heartbeatRequest, newTask } from '../conformance/samples.ts';
import { type OperationRig, onEachStore, token } from '../support/operation-stores.ts';
import { waitFor } from '../support/wait-for.ts';

async function put({ store, context }: OperationRig, count: number, queue = 'default'): Promise<readonly string[]> {
  const ids = context.ids.many(count);
  await store.broker.enqueue(ids.map((id) => newTask(id, { queue })));
  return ids;
}

const ended = ({ ask }: OperationRig, id: string) =>
  waitFor(async () => {
    const operation = await ask(operationGet, { id });
    expect(operation.finishedAt).not.toBeNull();
    return operation;
  });

async function begun(rig: OperationRig, input: object): Promise<string> {
  const { operation } = await rig.ask(operationCreate, { delay: 0, ...input });
  return operation?.id ?? '';
}

const stateOf = async ({ store }: OperationRig, ids: readonly string[]) =>
  (await store.broker.getTasks(ids)).map((task) => task?.state);

await onEachStore((open) => {
  test('a dry run counts, shows the newest, and does nothing', async () => {
    const rig = await open();
    const ids = await put(rig, 30);
    await rig.recorded();
    const answer = await rig.ask(operationCreate, { verb: 'cancel', q: 'queue:default', dryRun: true }, 'operator');
    expect(answer).toMatchObject({ matched: 30, exact: true, operation: null });
    expect(answer.sample.map(({ id }) => id)).toEqual([...ids].reverse().slice(0, limits.bulkSampleMax));
    expect(new Set(await stateOf(rig, ids))).toEqual(new Set(['queued']));
    expect(await rig.ask(operationList, {})).toEqual({ operations: [], next: null });
  });

  test('it does what it says to all that matched, and to nothing else', async () => {
    const rig = await open();
    const meant = await put(rig, 250);
    const others = await put(rig, 3, 'other');
    await rig.recorded();
    const id = await begun(rig, { verb: 'cancel', q: 'queue:default', reason: 'wrong' });
    expect(await ended(rig, id)).toMatchObject({
      verb: 'cancel',
      q: 'queue:default',
      by: 'ada',
      state: 'succeeded',
      matched: 250,
      exact: true,
      done: 250,
      refused: 0,
      failures: [],
    });
    expect(new Set(await stateOf(rig, meant))).toEqual(new Set(['cancelled']));
    expect(await stateOf(rig, others)).toEqual(['queued', 'queued', 'queued']);
    expect(await rig.ask(taskGet, { id: meant[0] })).toMatchObject({ cancelReason: 'by ada: wrong' });
  });

  test('it retries, moves, hastens and runs now', async () => {
    const rig = await open();
    const { broker } = rig.store;
    await put(rig, 3);
    const failed = await rig.end('failed');
    const later = await rig.enqueue('mail.send', { delay: '1h' });
    await rig.recorded();
    const steps = [
      [{ verb: 'retry', q: 'state:failed' }, 3, { state: 'queued', generation: 2 }],
      [{ verb: 'move', q: 'state:queued queue:default', queue: 'slow' }, 3, { queue: 'slow' }],
      [{ verb: 'priority', q: 'queue:slow', priority: 'high' }, 3, { priority: 2 }],
    ] as const;
    for (const [input, done, outcome] of steps) {
      expect(await ended(rig, await begun(rig, input))).toMatchObject({ done, refused: 0 });
      for (const task of await broker.getTasks(failed)) expect(task).toMatchObject(outcome);
      await rig.recorded();
    }
    expect(await ended(rig, await begun(rig, { verb: 'run-now', q: 'state:scheduled' }))).toMatchObject({ done: 1 });
    expect(await stateOf(rig, [later])).toEqual(['queued']);
  });

  test('removal is for admins, and removes what has ended', async () => {
    const rig = await open();
    await put(rig, 2);
    const ids = await rig.end('succeeded');
    await rig.recorded();
    const input = { q: 'state:succeeded queue:default', delay: 0 };
    await expect(rig.ask(operationRemove, input, 'operator')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { operation } = await rig.ask(operationRemove, input);
    expect(await ended(rig, operation?.id ?? '')).toMatchObject({ done: 2 });
    // What the record has not heard of yet, it still shows.
    await rig.recorded();
    expect(await stateOf(rig, ids)).toEqual([undefined, undefined]);
  });

  test('a queue is purged of what waits, and what runs goes on', async () => {
    const rig = await open();
    await put(rig, 4);
    const [running] = await rig.claim(1);
    await put(rig, 1, 'other');
    await rig.recorded();
    await expect(rig.ask(queuePurge, { name: 'others' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    expect(await rig.ask(queuePurge, { name: 'default', dryRun: true })).toMatchObject({ matched: 3, operation: null });
    const { operation } = await rig.ask(queuePurge, { name: 'default', delay: 0 });
    expect(await ended(rig, operation?.id ?? '')).toMatchObject({ matched: 3, done: 3 });
    expect(await stateOf(rig, [running?.task.id ?? ''])).toEqual(['running']);
    expect((await rig.ask(queueList, {})).queues.find(({ name }) => name === 'other')).toMatchObject({ waiting: 1 });
  });

  test('undone before its time it does nothing', async () => {
    const rig = await open();
    const ids = await put(rig, 2);
    await rig.recorded();
    const { operation } = await rig.ask(operationCreate, { verb: 'cancel', q: 'state:queued' });
    expect(operation).toMatchObject({ state: 'scheduled', matched: 2 });
    expect(await rig.ask(operationStop, { id: operation?.id }, 'operator')).toMatchObject({
      state: 'cancelled',
      done: 0,
    });
    await expect(rig.ask(operationStop, { id: operation?.id })).rejects.toMatchObject({ code: 'TASK_FINISHED' });
    expect(await stateOf(rig, ids)).toEqual(['queued', 'queued']);
  });

  test('tasks that are named one by one are asked of the live store, and nothing else is touched', async () => {
    const rig = await open();
    const [first = '', second = '', third = ''] = await put(rig, 3);
    const missing = rig.context.ids.next();
    const input = { verb: 'cancel', ids: [first, second, missing, first] };
    expect(await rig.ask(operationCreate, { ...input, dryRun: true })).toMatchObject({ matched: 3, exact: true });
    const id = await begun(rig, input);
    expect(await ended(rig, id)).toMatchObject({
      ...{ q: '', ids: [first, second, missing], state: 'succeeded', done: 2, refused: 1 },
      failures: [{ id: missing, outcome: 'unknown' }],
    });
    expect(await stateOf(rig, [first, second, third])).toEqual(['cancelled', 'cancelled', 'queued']);
    const again = await begun(rig, { verb: 'retry', ids: [first, third] });
    expect(await ended(rig, again)).toMatchObject({ done: 1, refused: 1 });
    expect(await stateOf(rig, [first, second])).toEqual(['queued', 'cancelled']);
  });

  test('one with a rate goes on in steps, and is stopped where it is', async () => {
    const rig = await open();
    const ids = await put(rig, 20);
    await rig.recorded();
    const id = await begun(rig, { verb: 'cancel', q: 'queue:default', rate: { limit: 1, per: '1h' } });
    await waitFor(async () => expect(await rig.ask(operationGet, { id })).toMatchObject({ state: 'running', done: 1 }));
    expect(await rig.ask(operationStop, { id })).toMatchObject({ verb: 'cancel' });
    expect(await ended(rig, id)).toMatchObject({ state: 'cancelled', done: 1 });
    expect((await stateOf(rig, ids)).filter((state) => state === 'cancelled')).toHaveLength(1);
  });

  test('a server goes on where another one died', async () => {
    const rig = await open();
    const ids = await put(rig, 5);
    await rig.recorded();
    await rig.stopEngine();
    const id = await begun(rig, { verb: 'cancel', q: 'queue:default' });
    // The one that dies has done the newest of them, said so, and is heard of no more.
    const [claimed] = await rig.store.broker.claim(
      claimRequest(token(), { queues: [{ name: internalQueue, limit: 1 }], leaseMs: limits.leaseMinMs }),
    );
    const value = JSON.stringify({ after: ids[3], done: 2, refused: 0, failures: [] });
    const progress = { done: 2, total: 5, note: null };
    const beat = { lease: claimed!.lease, ranMs: 5, progress, logs: [], checkpoints: [{ name: 'state', value }] };
    await rig.store.broker.heartbeat(heartbeatRequest([beat], { leaseMs: limits.leaseMinMs }));
    rig.startEngine();
    expect(await ended(rig, id)).toMatchObject({ state: 'succeeded', done: 5 });
    expect((await stateOf(rig, ids)).filter((state) => state === 'cancelled')).toHaveLength(3);
  });

  test('what has gone on since it was recorded is looked at as it is now', async () => {
    const rig = await open();
    const ids = await put(rig, 3);
    await rig.recorded();
    const { operation } = await rig.ask(operationCreate, { verb: 'cancel', q: 'state:queued', delay: '1h' });
    const [running] = await rig.claim(1);
    await rig.store.broker.update([{ taskId: operation?.id ?? '', version: null, patch: { delayMs: 0 } }]);
    expect(await ended(rig, operation?.id ?? '')).toMatchObject({ matched: 3, done: 2 });
    expect(await rig.ask(taskGet, { id: running?.task.id })).toMatchObject({
      state: 'running',
      cancelRequestedAt: null,
    });
    expect((await stateOf(rig, ids)).sort()).toEqual(['cancelled', 'cancelled', 'running']);
  });

  describe('its own task', () => {
    test('is in no list of queues and tasks, no count by queue, found by its id, and nobody else puts one there', async () => {
      const rig = await open();
      await put(rig, 1);
      await rig.recorded();
      const { operation } = await rig.ask(operationCreate, { verb: 'cancel', q: 'queue:default' });
      await rig.recorded();
      expect((await rig.ask(queueList, {})).queues.map(({ name }) => name)).toEqual(['default']);
      expect((await rig.ask(taskList, {})).tasks.map(({ queue }) => queue)).toEqual(['default']);
      expect(await rig.ask(systemCounts, {})).toMatchObject({ queues: { default: 1 }, names: { 'mail.send': 1 } });
      expect((await rig.ask(taskList, { q: `id:${operation?.id}` })).tasks).toHaveLength(1);
      expect((await rig.ask(operationList, { limit: 1 })).operations.map(({ id }) => id)).toEqual([operation?.id]);
      await expect(rig.enqueue('mail.send', { queue: internalQueue })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      });
      await expect(rig.enqueue('~operation')).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    });
  });

  test('what cannot be meant is refused, and nothing is begun', async () => {
    const rig = await open();
    for (const [input, code] of [
      [{ verb: 'cancel', q: ' ' }, 'INVALID_OPTION'],
      [{ verb: 'cancel' }, 'INVALID_OPTION'],
      [{ verb: 'cancel', q: 'state:queued', ids: ['01K8Q2M4ZJF0C9YF4V7Z0B2HNX'] }, 'INVALID_OPTION'],
      [{ verb: 'cancel', ids: ['nonsense'] }, 'INVALID_ID'],
      [{ verb: 'cancel', ids: [] }, 'INVALID_OPTION'],
      [{ verb: 'cancel', q: 'sate:failed' }, 'INVALID_FILTER'],
      [{ verb: 'move', q: 'state:queued' }, 'INVALID_OPTION'],
      [{ verb: 'retry', q: 'state:failed', priority: 1 }, 'INVALID_OPTION'],
      [{ verb: 'remove', q: 'state:failed' }, 'INVALID_OPTION'],
      [{ verb: 'move', q: 'state:queued', queue: internalQueue }, 'INVALID_OPTION'],
    ])
      await expect(rig.ask(operationCreate, input)).rejects.toMatchObject({ code });
    await rig.recorded();
    expect(await rig.ask(operationList, {})).toEqual({ operations: [], next: null });
  });
});
