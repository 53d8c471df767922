/** Redis with more than one script may do at once, and after all of it has gone. */

import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { createRedisBroker } from '../../src/broker/redis/redis-broker.ts';
import { limits } from '../../src/core/limits.ts';
import type { TaskView } from '../../src/core/states.ts';
import type { Lease, NewTask } from '../../src/core/task.ts';
import {
  beat,
  claimRequest,
  finish,
  heartbeatRequest,
  leaseMs,
  newTask,
  overdueRequest,
  presence,
  sampleId,
  sampleToken,
  settlement,
  startAt,
} from '../conformance/samples.ts';
import { onOwnRedis } from '../support/redis-tests.ts';

const surplus = 2_000;
const parent = sampleId(1_000_000);
const children = Array.from({ length: limits.releaseMax + surplus }, (_none, place) => sampleId(place + 1));

await onOwnRedis((server) => {
  let now = startAt;
  let stores = 0;

  async function open(): Promise<Broker> {
    stores += 1;
    const place = { address: { path: server.path }, namespace: `bounds ${stores}` };
    const broker = createRedisBroker({ ...place, now: () => now });
    await broker.open();
    return broker;
  }

  /** A parent that runs, and more children than one call lets go. */
  async function openWithFamily(given: Partial<NewTask> = {}): Promise<Broker> {
    const broker = await open();
    await broker.enqueue([newTask(parent)]);
    const dependsOn = [{ taskId: parent, onFailure: 'fail' }] as const;
    for (const ids of chunksOf(children)) await broker.enqueue(ids.map((id) => newTask(id, { dependsOn, ...given })));
    await broker.claim(claimRequest(sampleToken(1)));
    return broker;
  }

  const end = (broker: Broker, to: 'succeeded' | 'failed', epoch = 1) =>
    broker.settle([settlement(parent, { taskId: parent, token: sampleToken(epoch), epoch }, finish(to))]);

  test('children of one parent that are too many for one call are let go by the next ones', async () => {
    const broker = await openWithFamily();
    const told: unknown[] = [];
    broker.subscribe((signal) => told.push(signal));
    await end(broker, 'succeeded');
    expect(await countsOf(broker)).toMatchObject({ blocked: surplus, queued: limits.releaseMax });
    await Promise.resolve();
    expect(told).toContainEqual({ kind: 'due', inMs: 0 });
    expect(await broker.promote(1_000)).toEqual({ promoted: 0, nextInMs: null });
    expect(await countsOf(broker)).toEqual({ succeeded: 1, queued: children.length });
    await broker.close();
  });

  test('a parent that is retried meanwhile holds the rest back until it ends again', async () => {
    const broker = await openWithFamily();
    await end(broker, 'succeeded');
    await broker.retry([parent]);
    expect(await broker.promote(1_000)).toMatchObject({ nextInMs: null });
    expect(await countsOf(broker)).toEqual({ queued: limits.releaseMax + 1, blocked: surplus });
    await broker.cancel({ taskIds: [parent], reason: null });
    expect(await countsOf(broker)).toMatchObject({ blocked: surplus, cancelled: 1 });
    await broker.promote(1_000);
    const overdue = await broker.claimOverdue({ token: sampleToken(9), limit: 1, leaseMs: 1_000, deadWorkers: [] });
    expect(overdue).toMatchObject([{ reason: 'dependency_failed' }]);
    await broker.close();
  });

  test('a parent that is removed meanwhile has let all of them go', async () => {
    const broker = await openWithFamily();
    await end(broker, 'succeeded');
    await broker.remove([parent]);
    expect(await broker.promote(1_000)).toEqual({ promoted: 0, nextInMs: null });
    expect(await countsOf(broker)).toEqual({ queued: children.length });
    await broker.close();
  });

  test('a parent with very many children is pruned part by part', async () => {
    const broker = await openWithFamily({ keepMs: limits.durationMaxMs });
    for (const taskIds of chunksOf(children)) await broker.cancel({ taskIds, reason: null });
    await end(broker, 'succeeded');
    await trimAll(broker);
    now += limits.liveKeepMs;
    const look = new Redis({ path: server.path });
    await look.zremrangebyrank(`{bounds ${stores}}:finished`, 0, -1);
    await look.zadd(`{bounds ${stores}}:finished`, now, parent);
    expect(await broker.prune(1_000)).toBe(0);
    expect(await broker.prune(1_000)).toBe(1);
    expect(await broker.getTasks([parent])).toEqual([null]);
    expect(await look.exists(`{bounds ${stores}}:passed`, `{bounds ${stores}}:children:${parent}`)).toBe(0);
    look.disconnect();
    await broker.close();
  });

  test('every task without a full limit is found among 600 groups of 30, most of whom have nothing else', async () => {
    const broker = await open();
    const [groups, each] = [600, 30];
    const isFree = (at: number): boolean => (at % groups) % 50 === 49 && Math.floor(at / groups) % 10 === 9;
    const all = Array.from({ length: groups * each }, (_none, at) =>
      newTask(sampleId(at), {
        group: `g${at % groups}`,
        limits: isFree(at) ? [] : [{ name: 'l', max: 1, rate: null }],
      }),
    );
    for (let from = 0; from < all.length; from += limits.batchMax)
      await broker.enqueue(all.slice(from, from + limits.batchMax));
    const found = new Set<string>();
    for (let call = 0; call < 25; call += 1) {
      const queues = [{ name: 'default', limit: 100 }];
      for (const { task } of await broker.claim(claimRequest(sampleToken(call), { queues }))) found.add(task.id);
    }
    const free = all.filter(({ limits: rules }) => rules.length === 0).map(({ id }) => id);
    expect([...found].toSorted()).toEqual([...free, sampleId(0)].toSorted());
    await broker.close();
  });

  test('claims whose tasks are kept one by one hide no lease that is over', async () => {
    const broker = await open();
    const all = Array.from({ length: limits.claimScanMax * limits.claimReadsMax }, (_none, place) => sampleId(place));
    const whole = { limit: limits.batchMax, queues: [{ name: 'default', limit: limits.batchMax }] };
    const held: Lease[] = [];
    for (const ids of chunksOf(all)) {
      await broker.enqueue(ids.map((id) => newTask(id)));
      const claimed = await broker.claim(claimRequest(sampleToken(held.length), whole));
      held.push(...claimed.map(({ lease }) => lease));
    }
    now += leaseMs / 2;
    await broker.enqueue([newTask(parent)]);
    await broker.claim(claimRequest(sampleToken(all.length)));
    // As a worker does that holds more than one call carries, once one of them has ended.
    const beats = held.map((lease) => beat(lease));
    for (let from = 0; from < beats.length; from += 999)
      await broker.heartbeat(heartbeatRequest(beats.slice(from, from + 999), { leaseMs: 2 * leaseMs }));
    now += leaseMs;
    const judged: string[] = [];
    for (const n of [1, 2]) {
      const overdue = await broker.claimOverdue(overdueRequest(sampleToken(all.length + n)));
      judged.push(...overdue.map(({ task }) => task.id));
    }
    expect(judged).toEqual([parent]);
    now += leaseMs;
    expect(await broker.claimOverdue(overdueRequest(sampleToken(all.length + 3)))).toHaveLength(100);
    await broker.close();
  });

  test('what has ended and was pruned leaves nothing behind', async () => {
    const broker = await open();
    const rich: Partial<NewTask> = {
      key: 'k',
      group: 'g',
      limits: [{ name: 'l', max: 5, rate: { count: 10, perMs: 1_000 } }],
      flowId: 'f',
      tags: ['t'],
    };
    await broker.enqueue([newTask(parent, rich)]);
    await broker.enqueue([newTask(sampleId(1), { dependsOn: [{ taskId: parent, onFailure: 'ignore' }] })]);
    await broker.heartbeat(heartbeatRequest([], { worker: presence({}) }));
    await broker.control(['worker-1'], { kind: 'drain' });
    await broker.claim(claimRequest(sampleToken(1)));
    await end(broker, 'failed');
    await broker.cancel({ taskIds: [sampleId(1)], flowId: 'f', reason: 'over' });
    await broker.claim(claimRequest(sampleToken(2)));
    await broker.schedules.put([{ name: 's', definition: '{}', next: { at: now, dueAt: now } }]);
    await broker.schedules.delete(['s']);
    for (const [scope, name] of [
      ['group', 'g'],
      ['limit', 'l'],
      ['queue', 'default'],
    ] as const) {
      await broker.configure(scope, name, { pause: { by: 'ada', reason: null } });
      await broker.configure(scope, name, { pause: null });
    }
    await trimAll(broker);
    now += limits.eventsKeepMs + limits.durationMaxMs;
    await broker.prune(1_000);
    await broker.prune(1_000);
    await trimAll(broker);
    const look = new Redis({ path: server.path });
    const prefix = `{bounds ${stores}}:`;
    const keys = (await look.keys('*')).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    // A queue that was configured is known from then on, and the stream of events knows its last number.
    expect(keys.sort()).toEqual(['events', 'queues', 'store']);
    look.disconnect();
    await broker.close();
  });
});

async function trimAll(broker: Broker): Promise<void> {
  const state = await broker.outbox?.state();
  await broker.outbox?.trim(state?.lastSeq ?? 0);
}

async function countsOf(broker: Broker): Promise<Readonly<Partial<Record<TaskView, number>>> | undefined> {
  return (await broker.getQueues())[0]?.counts;
}

function* chunksOf(ids: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < ids.length; from += limits.batchMax) yield ids.slice(from, from + limits.batchMax);
}
