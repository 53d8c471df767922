/** Calls in a transaction of the user's: there when it is committed, and never there when it is not. */

import { expect } from 'vitest';
import type { Transactions } from '../../src/broker/broker.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimRequest, finish, newTask, settlement } from './samples.ts';
import type { UserTransaction } from './store.ts';
import type { Case, World } from './world.ts';

type Show = (world: World, begin: () => Promise<UserTransaction>, transactions: Transactions) => Promise<void>;

/** Of a store without transactions for its users there is only this to say: it does not offer any. */
function inTransaction(sentence: string, show: Show): Case {
  return [
    sentence,
    async (world) => {
      const { transactions } = world.broker();
      const begin = world.store.begin?.bind(world.store);
      expect(transactions === undefined).toBe(begin === undefined);
      if (transactions !== undefined && begin !== undefined) await show(world, begin, transactions);
    },
  ];
}

const limits = [{ name: 'one', max: 1, rate: null }];

/** One of each kind that a rollback has to take back: plain, later, keyed, in a group, limited, and with a parent. */
function kindsOf(world: World): readonly NewTask[] {
  const parent = newTask(world.nextId());
  const dependsOn = [{ taskId: parent.id, onFailure: 'fail' }] as const;
  const given: readonly Partial<NewTask>[] = [
    { delayMs: 1_000 },
    { key: 'k' },
    { group: 'g' },
    { limits },
    { dependsOn, flowId: parent.id },
  ];
  return [parent, ...given.map((each) => newTask(world.nextId(), each))];
}

export const transactionCases: readonly Case[] = [
  inTransaction(
    'tasks of a committed transaction are as if they had been enqueued',
    async (world, begin, { enqueue }) => {
      const user = await begin();
      const tasks = kindsOf(world);
      const results = await enqueue(user.tx, tasks);
      expect(results.map(({ outcome }) => outcome)).toEqual(tasks.map(() => 'created'));
      expect(await world.broker().getTasks(tasks.map(({ id }) => id))).toEqual(tasks.map(() => null));
      await user.commit();
      const states = (await world.broker().getTasks(tasks.map(({ id }) => id))).map((task) => task?.state);
      expect(states).toEqual(['queued', 'scheduled', 'queued', 'queued', 'queued', 'blocked']);
      expect(await world.claimAll()).toHaveLength(4);
    },
  ),
  inTransaction('tasks of a transaction that is rolled back were never there', async (world, begin, { enqueue }) => {
    const held = await world.put({ key: 'k', delayMs: 60_000 });
    const before = await world.dump();
    const events = await world.store.events();
    const user = await begin();
    const [parent, later, keyed, ...others] = kindsOf(world);
    const replacing = { ...keyed!, ifExists: 'replace' } as const;
    const results = await enqueue(user.tx, [parent!, later!, replacing, ...others]);
    expect(results[2]).toMatchObject({ outcome: 'replaced', of: held });
    await user.rollback();
    expect(await world.dump()).toEqual(before);
    expect(await world.store.events()).toEqual(events);
    expect(await world.claimAll()).toEqual([]);
    expect(await world.put({ key: 'k', ifExists: 'replace' })).not.toBe(held);
  }),
  inTransaction('calls of one transaction see what those before them stored', async (world, begin, { enqueue }) => {
    const user = await begin();
    const [first, second] = [0, 1].map(() => newTask(world.nextId(), { key: 'k' }));
    await enqueue(user.tx, [first!]);
    const child = newTask(world.nextId(), { dependsOn: [{ taskId: first!.id, onFailure: 'fail' }] });
    const results = await Promise.all([enqueue(user.tx, [second!]), enqueue(user.tx, [child])]);
    expect(results.flat()).toEqual([
      { outcome: 'duplicate', taskId: second!.id, of: first!.id },
      { outcome: 'created', taskId: child.id, state: 'blocked' },
    ]);
    await user.commit();
  }),
  inTransaction('a refused call stores nothing, and the transaction goes on', async (world, begin, { enqueue }) => {
    const user = await begin();
    const kept = newTask(world.nextId());
    await enqueue(user.tx, [kept]);
    const [one, other] = [newTask(world.nextId()), newTask(world.nextId())];
    const orphan = { ...other, dependsOn: [{ taskId: world.nextId(), onFailure: 'fail' as const }] };
    await expect(enqueue(user.tx, [one, orphan])).rejects.toMatchObject({ code: 'INVALID_FLOW' });
    await user.commit();
    const found = await world.broker().getTasks([kept.id, one.id, other.id]);
    expect(found.map((task) => task?.state)).toEqual(['queued', undefined, undefined]);
  }),
  inTransaction('nobody is told before the commit is announced', async (world, begin, { enqueue, announce }) => {
    const user = await begin();
    world.signals();
    await enqueue(user.tx, [newTask(world.nextId())]);
    expect(world.signals()).toEqual([]);
    await user.commit();
    await announce();
    expect(world.signals()).toContainEqual({ kind: 'work', queues: null });
  }),
  inTransaction('a run ends in a transaction, with what it brings along', async (world, begin, { settle }) => {
    const running = await world.bring('running');
    const lease = { taskId: running.id, token: running.token, epoch: 1 };
    const spawned = newTask(world.nextId());
    const end = settlement(running.id, lease, finish('succeeded', { result: '1' }), { spawn: [spawned] });
    const user = await begin();
    expect(await settle(user.tx, [end])).toEqual([{ outcome: 'applied' }]);
    expect((await world.task(running.id)).state).toBe('running');
    await user.commit();
    expect(await world.task(running.id)).toMatchObject({ state: 'succeeded', result: '1' });
    expect((await world.task(spawned.id)).state).toBe('queued');
    expect((await world.broker().settle([end])).results).toEqual([{ outcome: 'alreadyApplied' }]);
  }),
  inTransaction('a run whose transaction is rolled back has not ended', async (world, begin, { settle }) => {
    const running = await world.bring('running', { key: 'k', limits });
    const lease = { taskId: running.id, token: running.token, epoch: 1 };
    const end = settlement(running.id, lease, finish('succeeded'));
    const before = await world.dump();
    const user = await begin();
    await settle(user.tx, [end]);
    await user.rollback();
    expect(await world.dump()).toEqual(before);
    const failed = settlement(running.id, lease, finish('failed'));
    expect((await world.broker().settle([failed])).results).toEqual([{ outcome: 'applied' }]);
  }),
  inTransaction('a lease that is not current any more ends nothing', async (world, begin, { settle }) => {
    const running = await world.bring('running');
    const user = await begin();
    const foreign = { taskId: running.id, token: world.nextToken(), epoch: 1 };
    const results = await settle(user.tx, [settlement(running.id, foreign, finish('succeeded'))]);
    expect(results).toEqual([{ outcome: 'stale' }]);
    await user.commit();
    expect((await world.task(running.id)).state).toBe('running');
  }),
  inTransaction('an open transaction with tasks in it holds nobody up', async (world, begin, { enqueue }) => {
    const waiting = await world.put();
    const user = await begin();
    await enqueue(user.tx, [newTask(world.nextId())]);
    if (!user.isAlone) {
      const claimed = await world.broker().claim(claimRequest(world.nextToken()));
      expect(claimed.map(({ task }) => task.id)).toEqual([waiting]);
      for (let n = 0; n < 300; n++) await world.put({ delayMs: 60_000 });
    }
    expect((await world.broker().getQueues())[0]?.counts).not.toHaveProperty('queued', 2);
    await user.commit();
  }),
  inTransaction(
    'a connection without a transaction is refused, and nothing is stored',
    async (world, begin, { enqueue }) => {
      const ended = await begin();
      const nowhere = [ended.tx, {}, null, 'BEGIN'];
      await ended.rollback();
      for (const tx of nowhere) {
        await world.checkRefused(() => enqueue(tx, [newTask(world.nextId())]), 'TX_NOT_JOINABLE');
      }
    },
  ),
  inTransaction('a call of 1,001 is refused', async (world, begin, { enqueue }) => {
    const user = await begin();
    const tasks = Array.from({ length: 1_001 }, () => newTask(world.nextId()));
    await expect(enqueue(user.tx, tasks)).rejects.toMatchObject({ code: 'BATCH_TOO_LARGE' });
    await user.rollback();
  }),
];
