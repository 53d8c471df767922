/** The outbox: what a recorder reads, what waits for it, and what is refused while it is away. */

import { describe, expect, test } from 'vitest';
import type { Outbox } from '../../src/broker/broker.ts';
import { limits } from '../../src/core/limits.ts';
import { claimRequest, finish, heartbeatRequest, newTask, settlement, storedTask } from './samples.ts';
import type { CreateStore, OutboxLimits } from './store.ts';
import { type Case, createWorld, type World } from './world.ts';

const outboxLimits: OutboxLimits = { outboxMax: 20, liveKeepMs: 1_000 };

function outboxOf(world: World): Outbox {
  const { outbox } = world.broker();
  if (outbox === undefined) throw new Error('this store has no outbox');
  return outbox;
}

async function trimAll(world: World): Promise<void> {
  const outbox = outboxOf(world);
  await outbox.trim((await outbox.state()).lastSeq);
}

const readNumbers = async (world: World, after: number, limit = 100): Promise<readonly number[]> =>
  (await outboxOf(world).read(after, limit, 0)).map(({ seq }) => seq);

/** Another one for each place, with letters of more than a byte; none for 0. */
function resultOfSize(size: number, place: number): string | null {
  return size === 0 ? null : `"${'é'.repeat(Math.max(0, size - 2) / 2)}${place}"`;
}

const outboxCases: readonly Case[] = [
  [
    'an event is numbered by the tasks up to it, so that numbers tell how much lies between',
    async (world) => {
      await world.broker().enqueue([1, 2, 3].map(() => newTask(world.nextId())));
      await world.broker().configure('queue', 'q', { pause: { by: 'ann', reason: null } });
      await world.put();
      expect(await readNumbers(world, 0)).toEqual([3, 4, 5]);
      expect(await outboxOf(world).state()).toMatchObject({ lastSeq: 5, trimmedSeq: 0 });
    },
  ],
  [
    'events are read behind a number, oldest first, at most as many as asked for',
    async (world) => {
      for (let count = 0; count < 3; count++) await world.put();
      expect(await readNumbers(world, 1)).toEqual([2, 3]);
      expect(await readNumbers(world, 0, 2)).toEqual([1, 2]);
      expect(await readNumbers(world, 3)).toEqual([]);
    },
  ],
  [
    'whoever follows reads the same, and holds up nobody who waits',
    async (world) => {
      for (let count = 0; count < 3; count++) await world.put();
      const { follow, read } = outboxOf(world);
      const waiting = Promise.all([read(3, 10, 2_000), follow(3, 10, 2_000)]);
      expect(await follow(1, 10, 0)).toEqual(await read(1, 10, 0));
      await world.put();
      const [read4, followed4] = await waiting;
      expect(followed4).toEqual(read4);
    },
  ],
  [
    'what is trimmed is gone, its number is not',
    async (world) => {
      for (let count = 0; count < 3; count++) await world.put();
      await outboxOf(world).trim(2);
      expect(await readNumbers(world, 0)).toEqual([3]);
      await outboxOf(world).trim(1);
      await outboxOf(world).trim(3);
      expect(await outboxOf(world).state()).toEqual({ lastSeq: 3, trimmedSeq: 3, oldestAt: null });
      await world.put();
      expect(await readNumbers(world, 0)).toEqual([4]);
    },
  ],
  [
    'nobody can trim ahead of what was written',
    async (world) => {
      await world.put();
      await outboxOf(world).trim(1_000);
      expect(await outboxOf(world).state()).toMatchObject({ lastSeq: 1, trimmedSeq: 1 });
      await world.put();
      expect(await readNumbers(world, 1)).toEqual([2]);
    },
  ],
  [
    'nothing is trimmed for a store that was another',
    async (world) => {
      await world.put();
      const { incarnation } = await world.broker().info();
      await outboxOf(world).trim(1, 'another');
      expect(await readNumbers(world, 0)).toEqual([1]);
      await outboxOf(world).trim(1, incarnation);
      expect(await readNumbers(world, 0)).toEqual([]);
    },
  ],
  [
    'the time of the oldest event that waits is told',
    async (world) => {
      const before = world.clock.now();
      await world.put();
      world.clock.move(50);
      await world.put();
      expect((await outboxOf(world).state()).oldestAt).toBe(before);
      await outboxOf(world).trim(1);
      expect((await outboxOf(world).state()).oldestAt).toBe(before + 50);
    },
  ],
  [
    'bodies are the tasks as they stand, in the order asked for, and nothing for unknown ones',
    async (world) => {
      const waiting = await world.put();
      const failed = await world.bring('failed');
      const unknown = world.nextId();
      const bodies = await outboxOf(world).bodies([failed.id, unknown, waiting, failed.id]);
      const expected = async (id: string) => ({ task: await world.task(id), ...(await world.store.record(id)) });
      expect(bodies).toEqual([await expected(failed.id), null, await expected(waiting), await expected(failed.id)]);
      expect(bodies[0]?.attempts).toHaveLength(1);
    },
  ],
  [
    'how a task stands is told as its body tells it, and not where that is not all',
    async (world) => {
      const rule = { name: 'api', max: 5, rate: null };
      const done = await world.bring('succeeded', { limits: [rule], key: 'k', group: 'g' });
      const [waiting, running, failed] = [await world.put(), await world.bring('running'), await world.bring('failed')];
      const ids = [done.id, running.id, failed.id, world.nextId(), done.id];
      const stands = await outboxOf(world).stands(ids);
      expect(stands.map((stand) => stand === null)).toEqual([false, true, true, true, false]);
      const task = await world.task(done.id);
      expect(task).toMatchObject({ ...stands[0]?.standing });
      expect(stands[4]).toMatchObject({
        result: task?.result,
        standing: { state: 'succeeded', version: task?.version },
      });
      const [seen] = await outboxOf(world).stands([waiting]);
      if (seen != null) expect(await world.task(waiting)).toMatchObject({ ...seen.standing });
    },
  ],
  [
    'log lines of a run come with its body',
    async (world) => {
      const { id, token } = await world.bring('running');
      const line = { at: world.clock.now(), level: 'info', message: 'half way', fields: '{}' } as const;
      const beat = { lease: { taskId: id, token, epoch: 1 }, ranMs: 1, progress: null, logs: [line], checkpoints: [] };
      await world.broker().heartbeat(heartbeatRequest([beat]));
      const [body] = await outboxOf(world).bodies([id]);
      expect(body?.logs).toEqual([{ ...line, epoch: 1 }]);
    },
  ],
  [
    'a finished task stays until its event is trimmed, however long that takes',
    async (world) => {
      const { id } = await world.bring('succeeded');
      world.clock.move(100_000_000);
      await world.check((broker) => broker.prune(10), 0);
      await trimAll(world);
      await world.check((broker) => broker.prune(10), 1, { [id]: null });
    },
  ],
  [
    'one that is recorded stays for `liveKeepMs`, or its own shorter time',
    async (world) => {
      const long = await world.bring('succeeded', { keepMs: 3_600_000 });
      const short = await world.bring('running', { keepMs: 10 });
      await world.settle(short, finish('succeeded', { keepMs: 10 }));
      await trimAll(world);
      world.clock.move(10);
      await world.check((broker) => broker.prune(10), 1, { [short.id]: null });
      world.clock.move(989);
      await trimAll(world);
      await world.check((broker) => broker.prune(10), 0);
      world.clock.move(1);
      await world.check((broker) => broker.prune(10), 1, { [long.id]: null });
    },
  ],
  [
    'a finished task that is brought back stays as long as one that ends now',
    async (world) => {
      const id = world.nextId();
      const now = world.clock.now();
      const times = { finishedAt: now - 10_000, pruneAt: now + 100_000 };
      await world.broker().restore([storedTask(id, { state: 'succeeded', ...times })]);
      await trimAll(world);
      world.clock.move(999);
      await world.check((broker) => broker.prune(10), 0);
      world.clock.move(1);
      await world.check((broker) => broker.prune(10), 1, { [id]: null });
    },
  ],
  [
    'results of all sizes come back whole, whatever a task is called, and are gone with a retry',
    async (world) => {
      const sizes = [0, 1, 199, 200, 201, 70_000];
      const names = [{}, { key: 'k' }, { group: 'g' }, { key: 'k', group: 'g' }];
      const given = sizes.flatMap((size) => names.map((name) => ({ size, ...name })));
      const tasks = given.map(({ size, ...name }) =>
        newTask(world.nextId(), { ...name, ...('key' in name && { key: `k ${size} ${'group' in name}` }) }),
      );
      await world.broker().enqueue(tasks);
      const resultOf = new Map(tasks.map(({ id }, place) => [id, resultOfSize(given[place]!.size, place)]));
      const claimed = await world.claimAll();
      await world
        .broker()
        .settle(
          claimed.map(({ lease }) =>
            settlement(lease.taskId, lease, finish('succeeded', { result: resultOf.get(lease.taskId) ?? null })),
          ),
        );
      const ids = tasks.map(({ id }) => id);
      const found = await world.broker().getTasks(ids);
      expect(found.map((task) => task?.result)).toEqual(ids.map((id) => resultOf.get(id)));
      const bodies = await outboxOf(world).bodies(ids);
      expect(bodies.map((body) => body?.task)).toEqual(found);
      const stands = await outboxOf(world).stands(ids);
      for (const [place, stand] of stands.entries())
        if (stand !== null) expect(stand).toMatchObject({ result: found[place]?.result });
      expect(stands.filter((stand) => stand !== null).length).toBeGreaterThan(0);
      await world.broker().retry(ids);
      const again = await world.broker().getTasks(ids);
      expect(again.map((task) => [task?.result, task?.key, task?.group])).toEqual(
        tasks.map(({ key, group }) => [null, key, group]),
      );
      expect((await world.claimAll()).map(({ task }) => task.result)).toEqual(ids.map(() => null));
    },
  ],
  [
    'one of several that ended together, removed and brought back since, stays as long as one that ends then',
    async (world) => {
      for (let count = 0; count < 3; count++) await world.put();
      const claimed = await world.claimAll();
      await world.broker().settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
      const [id = '', ...others] = claimed.map(({ task }) => task.id);
      const task = await world.task(id);
      world.clock.move(500);
      await world.broker().remove([id]);
      await world.broker().restore([task]);
      await trimAll(world);
      world.clock.move(500);
      const gone = Object.fromEntries(others.map((other) => [other, null]));
      await world.check((broker) => broker.prune(10), 2, gone);
      world.clock.move(500);
      await world.check((broker) => broker.prune(10), 1, { [id]: null });
    },
  ],
  [
    'with a full outbox nothing new is taken, and what runs can end',
    async (world) => {
      const subject = await world.bring('running');
      const tasks = Array.from({ length: 18 }, () => newTask(world.nextId()));
      await world.broker().enqueue(tasks);
      await world.checkRefused((broker) => broker.enqueue([newTask(world.nextId())]), 'OUTBOX_FULL');
      await world.checkRefused((broker) => broker.restore([storedTask(world.nextId())]), 'OUTBOX_FULL');
      expect(await world.broker().enqueue([])).toEqual([]);
      await world.settle(subject, finish('succeeded'));
      expect(await world.broker().claim(claimRequest(world.nextToken(), { limit: 5 }))).toHaveLength(5);
      await trimAll(world);
      await world.put();
    },
  ],
  [
    'of large tasks as many come as fit, in their order, and at least one',
    async (world) => {
      const payload = JSON.stringify('x'.repeat(limits.bodiesBytesMax / 4));
      const ids = [await world.put({ payload }), world.nextId(), await world.put({ payload })];
      ids.push(await world.put({ payload }), await world.put({ payload }), await world.put());
      const read = async (from: number) =>
        (await outboxOf(world).bodies(ids.slice(from))).map((body) => body?.task.id ?? null);
      expect(await read(0)).toEqual([ids[0], null, ...ids.slice(2, 4)]);
      expect(await read(4)).toEqual(ids.slice(4));
    },
  ],
  [
    'more bodies than a call may have are refused',
    async (world) => {
      const ids = Array.from({ length: limits.batchMax + 1 }, () => world.nextId());
      await world.checkRefused(() => outboxOf(world).bodies(ids), 'BATCH_TOO_LARGE');
    },
  ],
];

/** Declares the cases of a store that is not the record. */
export function conformOutbox(storeName: string, createStore: CreateStore): void {
  describe(`${storeName} has an outbox`, () => {
    test.for(outboxCases)('%s', async ([, show]) => {
      const world = await createWorld((options) => createStore({ ...options, outboxLimits }));
      try {
        await show(world);
      } finally {
        await world.close();
      }
    });
  });
}
