/** What is next in a queue, as people are told: in the order of claims, each with what it waits for, over every real store. */

import { expect, test } from 'vitest';
import { internalQueue } from '../../src/core/bulk.ts';
import { groupPause, groupWeight } from '../../src/operations/group.ts';
import { queueLimit, queuePause } from '../../src/operations/queue.ts';
import { queuePeek } from '../../src/operations/queue-peek.ts';
import { taskExplain } from '../../src/operations/task.ts';
import { heartbeatRequest, presence } from '../conformance/samples.ts';
import { type OperationRig, onEachStore } from '../support/operation-stores.ts';

/** Somebody who listens, with slots left. */
async function listen({ store }: OperationRig): Promise<void> {
  const worker = presence({ taskNames: ['mail.send'], queues: { default: 5, mail: 5 } });
  await store.broker.heartbeat(heartbeatRequest([], { worker }));
}

async function look(rig: OperationRig, input: object = {}) {
  return (await rig.ask(queuePeek, { name: 'mail', ...input }, 'viewer')).tasks;
}

const timeless = (text = ''): string => text.replace(/\d+\S* \w+ ago/, 'some time ago');

const put = (rig: OperationRig, options: object = {}) => rig.enqueue('mail.send', { queue: 'mail', ...options });

await onEachStore((open) => {
  test('tasks come in the order of claims, with their places and nothing to wait for', async () => {
    const rig = await open();
    await listen(rig);
    const [low, plain, urgent] = [await put(rig, { priority: 'low' }), await put(rig), await put(rig, { priority: 0 })];
    expect(await look(rig)).toMatchObject([
      {
        position: 1,
        id: urgent,
        name: 'mail.send',
        view: 'queued',
        stands: 'next',
        priority: 0,
        group: null,
        why: null,
      },
      { position: 2, id: plain, stands: 'next', why: null },
      { position: 3, id: low, stands: 'next', why: null },
    ]);
    expect(await look(rig, { limit: 1 })).toHaveLength(1);
    const claimed = await rig.claim(5, 'mail');
    expect(claimed.map(({ task }) => task.id)).toEqual([urgent, plain, low]);
    expect(await look(rig)).toEqual([]);
  });

  test('groups take turns, and each that is held back says by what, as explain does', async () => {
    const rig = await open();
    await listen(rig);
    await rig.ask(groupWeight, { name: 'big', weight: 2 });
    for (const group of ['big', 'big', 'big', 'small', 'small', 'late']) await put(rig, { group });
    await rig.ask(groupPause, { name: 'late', reason: 'unpaid' });
    const tasks = await look(rig);
    expect(tasks.map(({ group }) => group)).toEqual(['big', 'small', 'big', 'big', 'small', 'late']);
    expect(tasks.map(({ stands }) => stands)).toEqual([...Array(5).fill('next'), 'held']);
    const { gates } = await rig.ask(taskExplain, { id: tasks[5]?.id ?? '' });
    const [why, first] = [tasks[5]?.why, gates[0]].map((gate) => ({ ...gate, sentence: timeless(gate?.sentence) }));
    expect(why).toEqual(first);
    expect(gates[0]).toMatchObject({ code: 'group_paused', command: 'taskflow group resume late' });
  });

  test('behind a full limit and before their time, in that order', async () => {
    const rig = await open();
    await listen(rig);
    const limits = [{ name: 'smtp', max: 1 }];
    await put(rig, { limits });
    await rig.claim(1, 'mail');
    const [held, free, later] = [await put(rig, { limits }), await put(rig), await put(rig, { delay: '5m' })];
    const other = await put(rig, { limits: [{ name: 'erp', max: 1 }] });
    const second = await put(rig, { limits: [{ name: 'erp', max: 1 }] });
    const tasks = await look(rig);
    expect(tasks.map(({ id, stands, why }) => [id, stands, why?.code ?? null])).toEqual([
      [free, 'next', null],
      [other, 'next', null],
      [held, 'held', 'limit'],
      [second, 'held', 'behind'],
      [later, 'scheduled', 'not_due'],
    ]);
    expect(tasks[4]?.why?.earliestAt).toBe(tasks[4]?.dueAt);
  });

  test('a paused queue is told as it will go on, and a limit of it as it lets them through', async () => {
    const rig = await open();
    await listen(rig);
    const ids = [await put(rig), await put(rig, { priority: 0 })];
    await rig.ask(queueLimit, { name: 'mail', max: 1 });
    expect((await look(rig)).map(({ stands }) => stands)).toEqual(['next', 'held']);
    await rig.ask(queuePause, { name: 'mail' });
    expect(await look(rig)).toMatchObject([
      { id: ids[1], stands: 'held', why: { code: 'queue_paused' } },
      { id: ids[0], stands: 'held', why: { code: 'queue_paused' } },
    ]);
  });

  test('where nobody listens that is what the next one waits for, and the others say what holds them back', async () => {
    const rig = await open();
    const limits = [{ name: 'smtp', max: 1 }];
    await put(rig, { limits });
    await rig.claim(1, 'mail');
    await put(rig);
    await put(rig, { limits });
    await put(rig, { delay: '5m' });
    const tasks = await look(rig);
    expect(tasks.map(({ stands, why }) => [stands, why?.code])).toEqual([
      ['next', 'no_worker'],
      ['held', 'limit'],
      ['scheduled', 'not_due'],
    ]);
  });

  test('an unknown queue, and one that is not of people, are not found; a limit out of bounds is refused', async () => {
    const rig = await open();
    await put(rig);
    await expect(look(rig, { name: 'mial' })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    await expect(look(rig, { name: internalQueue })).rejects.toMatchObject({ code: 'QUEUE_NOT_FOUND' });
    for (const limit of [0, 101, 'many'])
      await expect(look(rig, { limit })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
