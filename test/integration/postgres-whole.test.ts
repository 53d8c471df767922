/** What most calls are is one statement on Postgres; what is special about one is done all the same. */

import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createPool } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { ClaimedTask, NewTask, Task, TaskError } from '../../src/core/task.ts';
import { claimRequest, finish, newTask, sampleId, settlement, startAt, storedTask } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(({ url }) => {
  const address = { ...readPostgresUrl(url), pool: 2 };
  let ids = 0;
  const fresh = (given: Partial<NewTask> = {}): NewTask => newTask(sampleId(++ids), given);
  const claimAll = (broker: Broker) => broker.claim(claimRequest(randomBytes(16).toString('hex')));
  const claimedIds = async (broker: Broker) => (await claimAll(broker)).map(({ task }) => task.id);

  const succeeded = ({ lease }: ClaimedTask, result: string | null) =>
    settlement(lease.taskId, lease, finish('succeeded', { result }));

  /** Hands over a broker, and what it has asked its connections since it was last asked. */
  async function open(
    use: (broker: Broker, sent: () => readonly string[], namespace: string) => Promise<void>,
  ): Promise<void> {
    const namespace = `whole_${randomBytes(6).toString('hex')}`;
    const pool = createPool(address);
    const asked: string[] = [];
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...given: unknown[]) => unknown;
      client.query = ((...given: unknown[]) => {
        asked.push(String((given[0] as { name?: string }).name).replace(/_\d+$/, ''));
        return query(...given);
      }) as typeof client.query;
    });
    const broker = createPostgresBroker({ address, namespace, pool });
    await broker.open();
    try {
      asked.length = 0;
      await use(broker, () => asked.splice(0), namespace);
    } finally {
      await broker.close();
      await pool.query(`DROP SCHEMA ${namespace} CASCADE`);
      await pool.end();
    }
  }

  test('a plain task is stored by one statement, with the hint right behind it, and claimed by one', async () => {
    await open(async (broker, sent) => {
      const task = fresh();
      await broker.enqueue([task]);
      expect(sent()).toEqual(['enqueue_handing_over', 'notify_queued']);
      expect(await claimedIds(broker)).toEqual([task.id]);
      expect(sent()).toEqual(['claim_whole_one']);
    });
  });

  test('an enqueue that is repeated finds its task, and leaves the others of the call to be stored', async () => {
    await open(async (broker) => {
      const [known, other] = [fresh(), fresh()];
      await broker.enqueue([known]);
      const results = await broker.enqueue([known, other]);
      expect(results.map(({ outcome }) => outcome)).toEqual(['existing', 'created']);
      expect(await claimedIds(broker)).toEqual([known.id, other.id]);
    });
  });

  test('a claim that is sent again while it is being made finds what that one takes', async () => {
    await open(async (broker, _sent, namespace) => {
      const task = fresh();
      await broker.enqueue([task]);
      const other = createPool(address);
      const blocking = await other.connect();
      const request = claimRequest('c'.repeat(32));
      // The first has its rows then, and waits for this one.
      await blocking.query(
        `BEGIN; INSERT INTO ${namespace}.claims (token, worker_id, check_at, running, task_ids) VALUES ('${request.token}', '', 0, 1, '[]')`,
      );
      const first = broker.claim(request);
      const waiting = 'SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))';
      await expect.poll(async () => (await blocking.query(waiting)).rowCount).toBe(1);
      const elsewhere = createPostgresBroker({ address, namespace });
      await elsewhere.open();
      const again = elsewhere.claim(request);
      // Long enough for one that waits for nobody to answer.
      await Promise.race([again, new Promise((resolve) => setTimeout(resolve, 300))]);
      await blocking.query('ROLLBACK');
      blocking.release();
      await other.end();
      const taken = (await first).map(({ task: { id } }) => id);
      expect(taken).toEqual([task.id]);
      expect((await again).map(({ task: { id } }) => id)).toEqual(taken);
      await elsewhere.close();
    });
  });

  test('a claim that meets a limit is made by more statements, and so are those behind it', async () => {
    await open(async (broker, sent) => {
      const [plain, limited, full] = [
        fresh(),
        ...[1, 2].map(() => fresh({ limits: [{ name: 'one', max: 1, rate: null }] })),
      ];
      await broker.enqueue([plain, limited, full] as NewTask[]);
      expect(await claimedIds(broker)).toEqual([plain?.id, limited?.id]);
      sent();
      await broker.enqueue([fresh()]);
      await claimAll(broker);
      expect(sent()).not.toContain('claim_whole_one');
    });
  });

  test('tasks of several names, and with letters of any language, are told of in the order of their claim', async () => {
    await open(async (broker) => {
      const tasks = ['a', 'b', 'a', 'ünï', 'b'].map((name) => fresh({ name }));
      await broker.enqueue(tasks);
      expect(await claimedIds(broker)).toEqual(tasks.map(({ id }) => id));
      const mixed = ['a', 'b', 'a'].map((name) => fresh({ name, queue: 'mixed' }));
      await broker.enqueue(mixed);
      const claimed = await broker.claim(claimRequest('a'.repeat(32), { queues: [{ name: 'mixed', limit: 9 }] }));
      expect(claimed.map(({ task }) => task.name)).toEqual(['a', 'b', 'a']);
    });
  });

  test('a claim from several queues is one statement, which takes the first of all together', async () => {
    await open(async (broker, sent) => {
      const tasks = [
        fresh({ queue: 'b', priority: 2 }),
        fresh({ queue: 'a', priority: 4 }),
        fresh({ queue: 'a', priority: 6 }),
        fresh({ queue: 'b', priority: 8 }),
        fresh({ queue: 'c', priority: 0 }),
      ];
      await broker.enqueue(tasks);
      sent();
      const queues = [
        { name: 'a', limit: 9 },
        { name: 'b', limit: 1 },
        { name: 'd', limit: 9 },
      ];
      const claim = async (limit: number) =>
        (await broker.claim(claimRequest(randomBytes(16).toString('hex'), { queues, limit }))).map(
          ({ task }) => task.id,
        );
      expect(await claim(2)).toEqual([tasks[0]?.id, tasks[1]?.id]);
      expect(await claim(9)).toEqual([tasks[2]?.id, tasks[3]?.id]);
      expect(sent().filter((name) => name !== 'notify')).toEqual(['claim_whole_several', 'claim_whole_several']);
      const counts = (await broker.getQueues()).map((queue) => [queue.name, queue.counts]);
      expect(counts).toEqual([
        ['a', { running: 2 }],
        ['b', { running: 2 }],
        ['c', { queued: 1 }],
      ]);
    });
  });

  test('a claim tells of each task what is its own, as it stands in the store', async () => {
    await open(async (broker, sent) => {
      const strange = 'a\0b\uFFFEc "quoted" \\ ünï';
      const error = { name: 'Error', message: strange, stack: null, code: null, data: null } as unknown as TaskError;
      const ran = {
        state: 'queued',
        dependsOn: [],
        version: 7,
        epoch: 3,
        attempt: 2,
        generation: 2,
        crashes: 1,
      } as const;
      const checkpoints = [{ name: 'one', value: '{}', at: startAt }] as unknown as Task['checkpoints'];
      await broker.restore([
        storedTask(sampleId(++ids), { ...ran, error, checkpoints, policy: strange, payload: strange }),
        storedTask(sampleId(++ids), { ...ran, interruptions: 1, snoozes: 4, schemaVersion: strange, key: 'k' }),
      ]);
      await broker.enqueue([fresh(), fresh()]);
      await broker.enqueue([fresh({ timeoutMs: 9, expiresInMs: 9_000, startWithinMs: 8_000, keepMs: 5 }), fresh()]);
      await broker.enqueue([fresh({ tags: [strange], priority: 2 }), fresh({ schemaVersion: 'v' })]);
      sent();
      for (const limit of [1, 3, 9]) {
        const claimed = await broker.claim({ ...claimRequest(randomBytes(16).toString('hex')), limit });
        expect(sent().filter((name) => name !== 'notify')).toEqual(['claim_whole_one']);
        expect(claimed.map(({ task }) => task)).toEqual(await broker.getTasks(claimed.map(({ task }) => task.id)));
        sent();
      }
      expect(await claimAll(broker)).toEqual([]);
    });
  });

  test('runs that succeeded are settled by one statement, whatever each resulted in', async () => {
    await open(async (broker, sent) => {
      await broker.enqueue([fresh(), fresh(), fresh()]);
      const claimed = await claimAll(broker);
      sent();
      const { results } = await broker.settle(claimed.map((one, n) => succeeded(one, `{"n":${n}}`)));
      expect(sent()).toContain('settle_whole');
      expect(sent()).not.toContain('succeed_remembered');
      expect(results.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied']);
      const tasks = await broker.getTasks(claimed.map(({ task }) => task.id));
      expect(tasks.map((task) => task?.result)).toEqual(['{"n":0}', '{"n":1}', '{"n":2}']);
      expect((await broker.getQueues())[0]?.counts).toEqual({ succeeded: 3 });
    });
  });

  test('a batch with a task that a person has stopped meanwhile is settled task by task', async () => {
    await open(async (broker) => {
      await broker.enqueue([fresh({ strictCancel: true }), fresh({ strictCancel: true })]);
      const claimed = await claimAll(broker);
      await broker.cancel({ taskIds: [claimed[0]?.task.id ?? ''], reason: null });
      const { results } = await broker.settle(claimed.map((one) => succeeded(one, null)));
      expect(results).toEqual([{ outcome: 'diverted', to: 'cancelled' }, { outcome: 'applied' }]);
      expect((await broker.getQueues())[0]?.counts).toEqual({ cancelled: 1, succeeded: 1 });
      const again = await broker.settle(claimed.map((one) => succeeded(one, null)));
      expect(again.results).toEqual([{ outcome: 'alreadyApplied' }, { outcome: 'alreadyApplied' }]);
    });
  });
});
