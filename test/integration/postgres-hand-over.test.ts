/** An enqueue in one process hands its task to a claim that stands in another, or tells of work as ever. */

import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import type { Broker, ClaimRequest, Signal } from '../../src/broker/broker.ts';
import { createPool } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker, type PostgresOptions } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { limits } from '../../src/core/limits.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(({ url }) => {
  const admin = new Client({ connectionString: url });
  beforeAll(async () => {
    await admin.connect();
  });
  afterAll(() => admin.end());

  const openProcess = async (namespace: string, given: Partial<PostgresOptions> = {}): Promise<Broker> => {
    const broker = createPostgresBroker({ address: { ...readPostgresUrl(url), pool: 3 }, namespace, ...given });
    await broker.open();
    onTestFinished(() => broker.close());
    return broker;
  };

  /** A process that hears, and what it has heard. */
  const openWorker = async (namespace: string, given: Partial<PostgresOptions> = {}) => {
    const broker = await openProcess(namespace, given);
    const heard: Signal[] = [];
    broker.subscribe((signal) => {
      const isProbe = signal.kind === 'work' && signal.queues?.every((queue) => queue.startsWith('probe'));
      if (!isProbe) heard.push(signal);
    });
    await vi.waitFor(async () => {
      const queue = `probe-${++probes}`;
      const request = stands(900 + probes, { queues: [{ name: queue, limit: 1 }] });
      await broker.claim(request);
      await broker.enqueue([newTask(sampleId(900 + probes), { queue })]);
      expect(await stateOf(broker, sampleId(900 + probes))).toBe('running');
    }, 20_000);
    await vi.waitFor(() => expect(heard.at(-1)?.kind).toBe('handed'));
    heard.length = 0;
    return { broker, heard };
  };
  let probes = 0;

  const aNamespace = (): string => {
    const namespace = `hand_over_${randomBytes(6).toString('hex')}`;
    onTestFinished(async () => void (await admin.query(`DROP SCHEMA IF EXISTS ${namespace} CASCADE`)));
    return namespace;
  };
  const stands = (n: number, given: Partial<ClaimRequest> = {}): ClaimRequest =>
    claimRequest(sampleToken(n), { standMs: limits.standMs, workerId: `worker ${n}`, ...given });
  const stateOf = async (broker: Broker, id: string): Promise<string | undefined> =>
    (await broker.getTasks([id]))[0]?.state;
  const handedOf = (heard: readonly Signal[]) => heard.filter(({ kind }) => kind === 'handed');

  test('who waits has the task in its hands, exactly as a claim would have answered it; nobody is told of work', async () => {
    const namespace = aNamespace();
    const [worker, other, producer] = [
      await openWorker(namespace),
      await openWorker(namespace),
      await openProcess(namespace),
    ];
    const request = stands(1);
    await worker.broker.claim(request);
    const task: Partial<NewTask> = {
      payload: '{"name":"žluťoučký 🐎","nul":"\\u0000","mark":"\uFFFE0"}',
      tags: ['one', 'two'],
      timeoutMs: 5_000,
      schemaVersion: 'v2',
      priority: 3,
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    };
    await producer.enqueue([newTask(sampleId(1), task)]);
    await vi.waitFor(() => expect(worker.heard).toHaveLength(1));
    const claimed = await worker.broker.claim(request);
    expect(claimed).toMatchObject([{ task: { id: sampleId(1), ...task, state: 'running', attempt: 1 } }]);
    expect(worker.heard).toEqual([{ kind: 'handed', token: request.token, claimed }]);
    await producer.enqueue([newTask(sampleId(2))]);
    await vi.waitFor(() => expect(other.heard).toEqual([{ kind: 'work', queues: ['default'] }]));
  });

  test('each claim is made once, and the one that has stood longest first', async () => {
    const namespace = aNamespace();
    const workers = [await openWorker(namespace), await openWorker(namespace)];
    const producer = await openProcess(namespace);
    for (const [place, { broker }] of workers.entries()) {
      await broker.claim(stands(place));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await workers[0]!.broker.claim(stands(0));
    for (const n of [1, 2, 3]) await producer.enqueue([newTask(sampleId(n))]);
    await vi.waitFor(async () => expect(await stateOf(producer, sampleId(3))).toBe('queued'));
    await vi.waitFor(() =>
      expect(workers.map(({ heard }) => handedOf(heard))).toMatchObject([
        [{ claimed: [{ task: { id: sampleId(1) } }] }],
        [{ claimed: [{ task: { id: sampleId(2) } }] }],
      ]),
    );
  });

  test.each<[string, (worker: Broker, producer: Broker) => Promise<unknown>]>([
    ['the worker has taken its claim back', (worker) => worker.claim(stands(1, { queues: [], limit: 0 }))],
    [
      'the worker is gone',
      async (worker) => {
        await worker.close();
        await vi.waitFor(async () => expect((await admin.query(listeners)).rowCount).toBe(0));
      },
    ],
    ['others wait in the queue', (_worker, producer) => producer.enqueue(manyTasks(100, limits.handOverMax + 1))],
    [
      'the queue is paused',
      (_worker, producer) => producer.configure('queue', 'default', { pause: { by: 'bob', reason: null } }),
    ],
    ['the queue has a limit', (_worker, producer) => producer.configure('queue', 'default', { max: 9 })],
    ['the queue has groups', (_worker, producer) => producer.enqueue([newTask(sampleId(50), { group: 'g' })])],
    [
      'its token has been given tasks',
      async (worker, producer) => {
        await producer.enqueue([newTask(sampleId(60))]);
        const claimed = await worker.claim(stands(1));
        await worker.settle(claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded'))));
      },
    ],
    [
      'its token has been given tasks, and it was sent again when those had ended',
      async (worker, producer) => {
        await producer.enqueue([newTask(sampleId(60))]);
        const claimed = await worker.claim(stands(1));
        await worker.settle(claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded'))));
        await producer.claim(stands(2, { queues: [{ name: 'other', limit: 1 }] }));
      },
    ],
  ])('nothing is handed over when %s', async (_when, happens) => {
    const namespace = aNamespace();
    const [{ broker, heard }, other] = [await openWorker(namespace), await openProcess(namespace)];
    // Who has told nobody of anything, and so would hand over.
    const producer = await openProcess(namespace);
    await broker.claim(stands(1));
    await happens(broker, other);
    await producer.enqueue([newTask(sampleId(1))]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
    const handed = heard.flatMap((signal) => (signal.kind === 'handed' ? signal.claimed : []));
    expect(handed.map(({ task }) => task.id)).not.toContain(sampleId(1));
  });

  test.each<[string, readonly NewTask[]]>([
    ['it is for another queue', [newTask(sampleId(1), { queue: 'other' })]],
    ['it is due later', [newTask(sampleId(1), { delayMs: 60_000 })]],
    ['it has a key', [newTask(sampleId(1), { key: 'k' })]],
    ['it has a group', [newTask(sampleId(1), { group: 'g' })]],
    ['it has a limit', [newTask(sampleId(1), { limits: [{ name: 'l', max: 9, rate: null }] })]],
    ['there are more than its worker would take', manyTasks(1, 11)],
    ['there are many', manyTasks(1, limits.handOverMax + 1)],
    ['it is large', [newTask(sampleId(1), { payload: JSON.stringify('x'.repeat(8_000)) })]],
  ])('an enqueue is left to be claimed when %s', async (_when, tasks) => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await broker.claim(stands(1, { limit: 10 }));
    await producer.enqueue(tasks);
    expect(await stateOf(producer, sampleId(1))).toMatch(/queued|scheduled/);
    expect(handedOf(heard)).toEqual([]);
  });

  test('a claim does not stand for longer than it was asked to', async () => {
    let now = 1_000_000;
    const namespace = aNamespace();
    const given = { now: () => now };
    const [{ broker }, producer] = [await openWorker(namespace, given), await openProcess(namespace, given)];
    await broker.claim(stands(1));
    now += limits.standMs;
    await producer.enqueue([newTask(sampleId(1))]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
  });

  test('what waits in one queue is not overtaken by what is handed over from another', async () => {
    const namespace = aNamespace();
    const [{ broker, heard }, other] = [await openWorker(namespace), await openProcess(namespace)];
    const producer = await openProcess(namespace);
    const queues = ['default', 'other'].map((name) => ({ name, limit: 1 }));
    await broker.claim(stands(1, { limit: 1, queues }));
    await other.enqueue(manyTasks(1, limits.handOverMax + 1));
    await producer.enqueue([newTask(sampleId(100), { queue: 'other', priority: 9 })]);
    expect(await stateOf(producer, sampleId(100))).toBe('queued');
    expect(handedOf(heard)).toEqual([]);
  });

  test('a task that is handed over is counted, told and ended as one that was claimed', async () => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    const request = stands(1);
    await broker.claim(request);
    const given = { startWithinMs: 60_000, expiresInMs: 120_000, timeoutMs: 5_000 };
    await producer.enqueue([newTask(sampleId(1), given), newTask(sampleId(2), given)]);
    await vi.waitFor(() => expect(handedOf(heard)).toHaveLength(1));
    const [{ claimed }] = handedOf(heard) as unknown as [Extract<Signal, { kind: 'handed' }>];
    const rows = async (text: string) =>
      (await admin.query({ text: text.replaceAll('@', `${namespace}.`), rowMode: 'array' })).rows as unknown[][];
    const kinds = await rows('SELECT kind FROM @events ORDER BY seq DESC LIMIT 2');
    expect(kinds.flat()).toEqual(['claim', 'enqueue']);
    const [[checkAt, running]] = (await rows(
      `SELECT check_at, running FROM @claims WHERE token = '${request.token}'`,
    )) as [[string, string]];
    expect([Number(checkAt) - claimed[0]!.task.claimedAt!, Number(running)]).toEqual([5_000 + limits.graceMs, 2]);
    expect(await producer.getTasks([sampleId(1), sampleId(2)])).toEqual(claimed.map(({ task }) => task));
    const queueOf = async () => (await producer.getQueues()).find(({ name }) => name === 'default');
    expect(await queueOf()).toMatchObject({ counts: { running: 2 } });
    const settled = await broker.settle(
      claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded'))),
    );
    expect(settled.results).toEqual([{ outcome: 'applied' }, { outcome: 'applied' }]);
    expect(await queueOf()).toMatchObject({ counts: { succeeded: 2 } });
  });

  test.each([
    'garbage',
    '{"tasks":{"tasks":[]}}',
    '{"token":"t","workerId":"w","leaseMs":"long","now":1,"tasks":{"tasks":[]}}',
  ])('what is no answer to a claim is a hint to ask again: %s', async (payload) => {
    const namespace = aNamespace();
    const { broker, heard } = await openWorker(namespace);
    await broker.claim(stands(1));
    const { rows } = await admin.query(
      `SELECT channel FROM ${namespace}.standing_claims ORDER BY stood_at DESC LIMIT 1`,
    );
    await admin.query('SELECT pg_notify($1, $2)', [rows[0].channel, payload]);
    await vi.waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: null }));
  });

  test('an enqueue whose worker cannot be told is stored all the same', async () => {
    const namespace = aNamespace();
    const [{ broker }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    // As Postgres says that its queue of notifications is full: a session that listens stands still.
    await admin.query(`CREATE FUNCTION ${namespace}.refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'too many notifications in the NOTIFY queue' USING ERRCODE = '54000'; END $$;
      CREATE TRIGGER refuse BEFORE UPDATE ON ${namespace}.standing_claims FOR EACH ROW WHEN (NEW.handed = 1)
        EXECUTE FUNCTION ${namespace}.refuse()`);
    await broker.claim(stands(1));
    expect(await producer.enqueue([newTask(sampleId(1))])).toMatchObject([{ outcome: 'created' }]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
  });

  test('who waits hears of tasks of which the first was claimed before they were told of', async () => {
    const namespace = aNamespace();
    const [busy, idle] = [await openProcess(namespace), await openWorker(namespace)];
    const claimFirst = async () => {
      while ((await busy.claim(stands(1, { limit: 1 }))).length === 0);
    };
    const pool = createPool({ ...readPostgresUrl(url), pool: 1 });
    onTestFinished(() => pool.end());
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (given: unknown) => Promise<unknown>;
      client.query = ((given: { name?: string }) =>
        given.name?.startsWith('notify_queued')
          ? claimFirst().then(() => query(given))
          : query(given)) as typeof client.query;
    });
    const producer = await openProcess(namespace, { pool });
    await producer.enqueue([newTask(sampleId(1)), newTask(sampleId(2))]);
    await vi.waitFor(() => expect(idle.heard).toEqual([{ kind: 'work', queues: ['default'] }]));
    expect(await stateOf(busy, sampleId(1))).toBe('running');
  });

  test('a worker that hears nothing does not stand', async () => {
    const namespace = aNamespace();
    const [{ broker }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    expect((await admin.query(`SELECT pg_terminate_backend(pid) FROM (${listeners}) AS found`)).rowCount).toBe(1);
    await broker.claim(stands(1));
    await producer.enqueue([newTask(sampleId(1))]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
  });
});

/** The connections that hold the lock of a process that listens. */
const listeners = `SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database AND datname = current_database()
  WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ShareLock' AND granted`;

function manyTasks(first: number, count: number): readonly NewTask[] {
  return Array.from({ length: count }, (_, n) => newTask(sampleId(first + n)));
}
