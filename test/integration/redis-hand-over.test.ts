/** An enqueue in one process hands its task to a claim that stands in another, or tells of work as ever. */

import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import type { Broker, ClaimRequest, Signal } from '../../src/broker/broker.ts';
import { recountRedis } from '../../src/broker/redis/recount.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import type { NewTask } from '../../src/core/task.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';
import { waitFor } from '../support/wait-for.ts';

await onOwnRedis((server) => {
  const admin = new Redis({ path: server.path });
  afterAll(() => admin.disconnect());

  const openProcess = async (namespace: string, given: Partial<RedisOptions> = {}): Promise<Broker> => {
    const broker = createRedisBroker({ address: { path: server.path }, namespace, ...given });
    await broker.open();
    onTestFinished(() => broker.close());
    return broker;
  };

  /** Channels of processes that hear what is for them alone. */
  const hearing = async (namespace: string): Promise<number> =>
    ((await admin.call('PUBSUB', 'SHARDCHANNELS', `{${namespace}}:signals:*`)) as string[]).length;

  /** A process that hears, and what it has heard. */
  const openWorker = async (namespace: string, given: Partial<RedisOptions> = {}) => {
    const before = await hearing(namespace);
    const broker = await openProcess(namespace, given);
    const heard: Signal[] = [];
    let isHandedOver = false;
    broker.subscribe((signal) => {
      // Of probes, also of those for others, something may come late.
      if (!isOfProbe(signal)) heard.push(signal);
      else isHandedOver ||= signal.kind === 'handed';
    });
    await waitFor(async () => expect(await hearing(namespace)).toBe(before + 1));
    // The client knows a moment after the server that it hears.
    await waitFor(async () => {
      const queue = `probe ${++probes}`;
      await broker.claim(stands(900 + probes, { queues: [{ name: queue, limit: 1 }] }));
      await broker.enqueue([newTask(sampleId(900 + probes), { queue })]);
      expect(await stateOf(broker, sampleId(900 + probes))).toBe('running');
    });
    await waitFor(() => expect(isHandedOver).toBe(true));
    heard.length = 0;
    return { broker, heard };
  };
  let probes = 0;
  const isOfProbe = (signal: Signal): boolean => {
    const queues =
      signal.kind === 'handed'
        ? signal.claimed.map(({ task }) => task.queue)
        : signal.kind === 'work'
          ? signal.queues
          : null;
    return queues?.every((queue) => queue.startsWith('probe')) ?? false;
  };

  const aNamespace = (): string => randomBytes(6).toString('hex');
  const stands = (n: number, given: Partial<ClaimRequest> = {}): ClaimRequest =>
    claimRequest(sampleToken(n), { standMs: limits.standMs, workerId: `worker ${n}`, ...given });
  const stateOf = async (broker: Broker, id: string): Promise<string | undefined> =>
    (await broker.getTasks([id]))[0]?.state;

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
      payload: '{"name":"žluťoučký 🐎"}',
      key: 'the key',
      group: 'a group',
      tags: ['one', 'two'],
      limits: [{ name: 'few', max: 2, rate: null }],
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    };
    await producer.enqueue([newTask(sampleId(1), task)]);
    await waitFor(() => expect(worker.heard).toHaveLength(1));
    const claimed = await worker.broker.claim(request);
    expect(claimed).toMatchObject([{ task: { id: sampleId(1), ...task, state: 'running', attempt: 1 } }]);
    expect(worker.heard).toEqual([{ kind: 'handed', token: request.token, claimed }]);
    await producer.enqueue([newTask(sampleId(2))]);
    await waitFor(() => expect(other.heard).toEqual([{ kind: 'work', queues: ['default'] }]));
  });

  test('each claim is made once, and the one that has stood longest first', async () => {
    const namespace = aNamespace();
    const workers = [await openWorker(namespace), await openWorker(namespace)];
    const producer = await openProcess(namespace);
    for (const [place, { broker }] of workers.entries()) await broker.claim(stands(place));
    await workers[0]!.broker.claim(stands(0));
    for (const n of [1, 2, 3]) await producer.enqueue([newTask(sampleId(n))]);
    await waitFor(async () => expect(await stateOf(producer, sampleId(3))).toBe('queued'));
    const handed = () => workers.map(({ heard }) => heard.filter(({ kind }) => kind === 'handed'));
    await waitFor(() =>
      expect(handed()).toMatchObject([
        [{ claimed: [{ task: { id: sampleId(1) } }] }],
        [{ claimed: [{ task: { id: sampleId(2) } }] }],
      ]),
    );
  });

  test.each<[string, (worker: Broker, producer: Broker, namespace: string) => Promise<unknown>]>([
    ['the worker has taken its claim back', (worker) => worker.claim(stands(1, { queues: [], limit: 0 }))],
    [
      'the worker is gone',
      async (worker, _producer, namespace) => {
        await worker.close();
        await waitFor(async () => expect(await hearing(namespace)).toBe(0));
      },
    ],
    ['others wait in the queue', (_worker, producer) => producer.enqueue(manyTasks(100, limits.handOverMax + 1))],
    [
      'the queue is paused',
      (_worker, producer) => producer.configure('queue', 'default', { pause: { by: 'bob', reason: null } }),
    ],
  ])('nothing is handed over when %s', async (_when, happens) => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await broker.claim(stands(1));
    await happens(broker, producer, namespace);
    await producer.enqueue([newTask(sampleId(1))]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
    expect(heard.filter(({ kind }) => kind === 'handed')).toEqual([]);
  });

  test.each<[string, readonly NewTask[]]>([
    ['it is for another queue', [newTask(sampleId(1), { queue: 'other' })]],
    ['it is due later', [newTask(sampleId(1), { delayMs: 60_000 })]],
    ['there are many', manyTasks(1, limits.handOverMax + 1)],
    ['it is large', [newTask(sampleId(1), { payload: JSON.stringify('x'.repeat(limits.handOverBytesMax)) })]],
  ])('an enqueue is left to be claimed when %s', async (_when, tasks) => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await broker.claim(stands(1));
    await producer.enqueue(tasks);
    expect(await stateOf(producer, sampleId(1))).toMatch(/queued|scheduled/);
    expect(heard.filter(({ kind }) => kind === 'handed')).toEqual([]);
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

  test('a full limit holds: what has a slot is handed over, the rest is told', async () => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await broker.claim(stands(1));
    const rules = { limits: [{ name: 'one', max: 1, rate: null }] };
    await producer.enqueue([newTask(sampleId(1), rules), newTask(sampleId(2), rules)]);
    await waitFor(() => expect(heard.map(({ kind }) => kind).sort()).toEqual(['handed', 'work']));
    expect(await stateOf(producer, sampleId(1))).toBe('running');
    expect(await stateOf(producer, sampleId(2))).toBe('queued');
  });

  test.each<[string, Partial<NewTask>, (broker: Broker) => Promise<unknown>]>([
    ['plain', {}, async () => undefined],
    ['with a deadline and a life', { startWithinMs: 60_000, expiresInMs: 120_000 }, async () => undefined],
    [
      'with key, group and limit',
      { key: 'k', group: 'g', limits: [{ name: 'l', max: 9, rate: null }] },
      async () => undefined,
    ],
    ['in a queue with a limit', {}, (broker) => broker.configure('queue', 'default', { max: 9 })],
    [
      'in a queue that has groups',
      {},
      (broker) => broker.enqueue([newTask(sampleId(50), { group: 'g', delayMs: 9e6 })]),
    ],
  ])('a recount finds nothing that a hand-over has left: %s', async (_what, task, prepare) => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await prepare(producer);
    const request = stands(1);
    await broker.claim(request);
    const given = [newTask(sampleId(1), task), newTask(sampleId(2), task.key === undefined ? task : {})];
    await producer.enqueue(given);
    await waitFor(() => expect(heard).toContainEqual(expect.objectContaining({ kind: 'handed' })));
    const claimed = await broker.claim(request);
    expect(claimed).toMatchObject(given.map(({ id }) => ({ task: { id, state: 'running', version: 2, epoch: 1 } })));
    expect(await recountRedis(admin, `{${namespace}}:`, producer)).toEqual([]);
    await broker.settle(claimed.map(({ lease }) => settlement(lease.taskId, lease, finish('succeeded'))));
    expect(await recountRedis(admin, `{${namespace}}:`, producer)).toEqual([]);
    expect(await stateOf(producer, sampleId(2))).toBe('succeeded');
  });

  test('what waits in one queue is not overtaken by what is handed over from another', async () => {
    const namespace = aNamespace();
    const [{ broker, heard }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    const queues = ['default', 'other'].map((name) => ({ name, limit: 1 }));
    await broker.claim(stands(1, { limit: 1, queues }));
    await producer.enqueue(manyTasks(1, limits.handOverMax + 1));
    await producer.enqueue([newTask(sampleId(100), { queue: 'other', priority: 9 })]);
    expect(await stateOf(producer, sampleId(100))).toBe('queued');
    expect(heard.filter(({ kind }) => kind === 'handed')).toEqual([]);
  });

  test.each(['garbage', ''])('what is no answer to a claim is a hint to ask again: %j', async (message) => {
    const namespace = aNamespace();
    const { heard } = await openWorker(namespace);
    const [channel = ''] = (await admin.call('PUBSUB', 'SHARDCHANNELS', `{${namespace}}:signals:*`)) as string[];
    await admin.spublish(channel, message);
    await waitFor(() => expect(heard).toContainEqual({ kind: 'work', queues: null }));
  });

  test('with other data under the same name nothing stands', async () => {
    const namespace = aNamespace();
    const [{ broker }, producer] = [await openWorker(namespace), await openProcess(namespace)];
    await broker.claim(stands(1));
    await admin.flushall();
    await expect(producer.enqueue([newTask(sampleId(1))])).rejects.toMatchObject({ code: 'STORE_REPLACED' });
    await producer.enqueue([newTask(sampleId(1))]);
    expect(await stateOf(producer, sampleId(1))).toBe('queued');
  });
});

function manyTasks(first: number, count: number): readonly NewTask[] {
  return Array.from({ length: count }, (_, n) => newTask(sampleId(first + n)));
}
