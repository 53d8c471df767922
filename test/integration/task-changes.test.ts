/** Tests what people change of tasks, one and several at once, on every store. */

import { describe, expect, test } from 'vitest';
import { taskGet } from '../../src/operations/task.ts';
import { taskCancelMany, taskRemoveMany, taskRetryMany, taskUpdateMany } from '../../src/operations/task-batch.ts';
import { taskMove, taskRunNow, taskUpdate } from '../../src/operations/task-change.ts';
import { onEachStore } from '../support/operation-stores.ts';

const nobody = '01K8Q2M4ZJE008000000000000';

await onEachStore((open) => {
  describe('a task that waits', () => {
    test('is changed in all that may be changed, and keeps the rest', async () => {
      const { ask, enqueue } = await open();
      const id = await enqueue('mail.send', { tags: ['a'], key: 'k', delay: '1h' });
      const rate = { limit: 10, per: '1m' };
      const change = { queue: 'slow', priority: 'urgent', tags: ['b', 'b'], limits: [{ name: 'smtp', max: 2, rate }] };
      expect(await ask(taskUpdate, { id, ...change }, 'operator')).toEqual({
        id,
        outcome: 'updated',
        state: 'scheduled',
      });
      expect(await ask(taskGet, { id })).toMatchObject({
        queue: 'slow',
        priority: 0,
        tags: ['b'],
        key: 'k',
        limits: [{ name: 'smtp', max: 2, rate: { count: 10, perMs: 60_000 } }],
      });
    });

    test('runs now when somebody says so, and later when somebody says that', async () => {
      const { ask, enqueue, store } = await open();
      const id = await enqueue('mail.send', { delay: '1h' });
      expect(await ask(taskRunNow, { id })).toMatchObject({ state: 'queued' });
      const { now } = await store.broker.info();
      const at = new Date(now + 3_600_000).toISOString();
      expect(await ask(taskUpdate, { id, at })).toMatchObject({ state: 'scheduled' });
      const { dueAt } = await ask(taskGet, { id });
      expect(Math.abs(Date.parse(dueAt) - now - 3_600_000)).toBeLessThan(60_000);
      expect(await ask(taskUpdate, { id, at: '2020-01-01' })).toMatchObject({ state: 'queued' });
    });

    test('moves to where it is claimed from', async () => {
      const { ask, enqueue, claim } = await open();
      const id = await enqueue('mail.send');
      await ask(taskMove, { id, queue: 'slow' });
      expect(await claim()).toEqual([]);
      expect((await claim(10, 'slow')).map(({ task }) => task.id)).toEqual([id]);
    });

    test('is not changed by who has an older version of it in hand', async () => {
      const { ask, enqueue } = await open();
      const id = await enqueue('mail.send');
      const { version } = await ask(taskGet, { id });
      await ask(taskUpdate, { id, version, priority: 1 });
      await expect(ask(taskUpdate, { id, version, priority: 9 })).rejects.toMatchObject({ code: 'TASK_CHANGED' });
      expect(await ask(taskGet, { id })).toMatchObject({ priority: 1 });
    });
  });

  test('what runs, has ended, or is not there is refused by its name', async () => {
    const { ask, enqueue, claim, end } = await open();
    const ended = await enqueue('mail.send');
    await end('succeeded');
    const running = await enqueue('mail.send');
    await claim();
    for (const [id, code] of [
      [running, 'TASK_NOT_WAITING'],
      [ended, 'TASK_FINISHED'],
      [nobody, 'TASK_NOT_FOUND'],
    ])
      await expect(ask(taskUpdate, { id, priority: 1 })).rejects.toMatchObject({ code });
  });

  test('several are cancelled, run again and removed, each with what came of it', async () => {
    const { ask, enqueue, claim } = await open();
    const first = await enqueue('mail.send');
    await claim();
    const second = await enqueue('mail.send');
    const ids = [second, first, nobody, second];
    expect(await ask(taskCancelMany, { ids, reason: 'wrong' })).toEqual({
      tasks: [
        { id: second, outcome: 'cancelled', state: null },
        { id: first, outcome: 'requested', state: null },
        { id: nobody, outcome: 'unknown', state: null },
      ],
      done: 2,
    });
    expect(await ask(taskGet, { id: second })).toMatchObject({ cancelReason: 'by ada: wrong' });
    expect(await ask(taskRetryMany, { ids })).toMatchObject({
      tasks: [{ outcome: 'queued' }, { outcome: 'already', state: 'running' }, { outcome: 'unknown' }],
      done: 1,
    });
    expect(await ask(taskUpdateMany, { ids, queue: 'slow' })).toMatchObject({
      tasks: [{ outcome: 'updated' }, { outcome: 'already', state: 'running' }, { outcome: 'unknown' }],
    });
    await ask(taskCancelMany, { ids: [second] });
    expect(await ask(taskRemoveMany, { ids })).toMatchObject({ tasks: [{ outcome: 'removed' }, {}, {}], done: 1 });
  });
});
