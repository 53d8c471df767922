/** Checks the services over a memory store: promotion in time, recovery of what dead workers left, samples. */
import { expect, test } from 'vitest';
import { createManualClock, type ManualClock } from '../../test/support/manual-clock.ts';
import { createDefinition, newTask } from '../../test/support/worker-rig.ts';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { seededChance } from '../core/chance.ts';
import type { Presence } from '../core/presence.ts';
import type { Lease, NewTask, Task } from '../core/task.ts';
import type { Sample, Store } from '../history/history.ts';
import { publishedDefinition } from '../worker/presence.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';

interface Rig {
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly engine: Engine;
  readonly samples: Sample[];
  readonly calls: string[];
  /** How far the store's clock stands before ours. */
  storeAheadMs: number;
  fail: boolean;
  enqueue(task: Partial<NewTask>): Promise<string>;
  claim(workerId: string, leaseMs?: number): Promise<readonly Lease[]>;
  task(id: string): Promise<Task>;
}

function createRig(options: Partial<EngineOptions> = {}, { deaf = false } = {}): Rig {
  const clock = createManualClock();
  const chance = seededChance(3);
  const calls: string[] = [];
  const samples: Sample[] = [];
  const memory = createMemoryBroker({ now: () => clock.now() + rig.storeAheadMs, chance });
  const spied = <Target extends object>(part: Target, prefix: string): Target =>
    new Proxy(part, {
      get(target, name: string) {
        const value: unknown = Reflect.get(target, name);
        if (name === 'schedules' && typeof value === 'object' && value !== null) return spied(value, 'schedules.');
        if (name === 'subscribe' && deaf) return () => () => undefined;
        if (typeof value !== 'function' || name === 'subscribe') return value;
        return async (...parameters: unknown[]) => {
          calls.push(prefix + name);
          if (rig.fail) throw new Error('away');
          return Reflect.apply(value, target, parameters);
        };
      },
    });
  const broker = spied(memory, '');
  const history = { sample: async (more: readonly Sample[]) => samples.push(...more) > 0 };
  const store = { broker, history, close: async () => {} } as unknown as Store;
  let ids = 0;
  const rig: Rig = {
    clock,
    broker: memory,
    engine: createEngine({ store, clock, chance, isGone: () => false, ...options }),
    samples,
    calls,
    storeAheadMs: 0,
    fail: false,
    async enqueue(task) {
      const id = `T${++ids}`;
      await memory.enqueue([newTask({ id, ...task })]);
      return id;
    },
    async claim(workerId, leaseMs = 30_000) {
      const request = {
        workerId,
        token: `${workerId}${++ids}`,
        queues: [{ name: 'default', limit: 100 }],
        limit: 100,
        leaseMs,
      };
      return (await memory.claim(request)).map(({ lease }) => lease);
    },
    async task(id) {
      const [task] = await memory.getTasks([id]);
      if (task === null || task === undefined) throw new Error(`no task ${id}`);
      return task;
    },
  };
  return rig;
}

const presence = (workerId: string, more: Partial<Presence> = {}): Presence => ({
  workerId,
  name: workerId,
  host: 'h',
  pid: 1,
  bootId: 'b',
  version: '1',
  queues: { default: 4 },
  concurrency: 4,
  running: 0,
  state: 'ready',
  services: false,
  server: false,
  taskNames: [],
  definitions: null,
  ...more,
});

test('a scheduled task is queued at its time', async () => {
  const rig = createRig();
  rig.engine.start();
  await rig.clock.advance(1_500);
  const id = await rig.enqueue({ delayMs: 333 });
  await rig.clock.advance(332);
  expect((await rig.task(id)).state).toBe('scheduled');
  await rig.clock.advance(2);
  expect((await rig.task(id)).state).toBe('queued');
  await rig.engine.stop();
});

test('a chain behind a failed task is judged at once, not at the next look of the reaper', async () => {
  const rig = createRig();
  rig.engine.start();
  await rig.clock.advance(1_500);
  const ids = [await rig.enqueue({ policy: '{"attempts":1}' })];
  for (const [last = ''] of [ids, ids, ids])
    ids.unshift(await rig.enqueue({ dependsOn: [{ taskId: last, onFailure: 'cancel' }] }));
  const [lease] = await rig.claim('W');
  const error = { name: 'E', message: 'no', stack: null, fingerprint: 'f' };
  const verdict = { to: 'failed', reason: 'error', charge: 'attempt', keepMs: 9_000_000, result: null, error } as const;
  await rig.broker.settle([{ lease: lease!, verdict, ranMs: 1, progress: null, logs: [], spawn: [] }]);
  await rig.clock.advance(10);
  const states = await Promise.all(ids.map(async (id) => (await rig.task(id)).state));
  expect(states).toEqual(['cancelled', 'cancelled', 'cancelled', 'failed']);
  await rig.engine.stop();
});

test('when the store does not tell of a task, it is queued within about a second', async () => {
  const rig = createRig({}, { deaf: true });
  rig.engine.start();
  await rig.clock.advance(1_500);
  const [soon, later] = [await rig.enqueue({ delayMs: 300 }), await rig.enqueue({ delayMs: 5_003 })];
  await rig.clock.advance(1_400);
  expect((await rig.task(soon)).state).toBe('queued');
  // By then it has been answered when the next one is due.
  await rig.clock.advance(5_005 - 1_400);
  expect((await rig.task(later)).state).toBe('queued');
  await rig.engine.stop();
});

test('tasks that are due one after the other are each queued at their time, in few calls', async () => {
  const rig = createRig();
  rig.engine.start();
  await rig.clock.advance(100);
  const ids: string[] = [];
  for (let delayMs = 100; delayMs < 200; delayMs += 1) ids.push(await rig.enqueue({ delayMs }));
  await rig.clock.advance(99);
  rig.calls.length = 0;
  for (const id of ids) {
    await rig.clock.advance(1);
    if (ids.indexOf(id) % 20 === 10) expect((await rig.task(ids[ids.indexOf(id) - 10]!)).state).toBe('queued');
  }
  await rig.clock.advance(10);
  expect(await Promise.all(ids.map(async (id) => (await rig.task(id)).state))).toEqual(ids.map(() => 'queued'));
  expect(rig.calls.filter((call) => call === 'promote').length).toBeLessThanOrEqual(12);
  await rig.engine.stop();
});

test('an idle engine asks the store for little', async () => {
  const rig = createRig({ presence: { workerId: 's', name: 's', version: '1' } });
  rig.engine.start();
  await rig.clock.advance(60_000);
  expect(rig.calls.filter((call) => call === 'promote').length).toBeLessThanOrEqual(62);
  expect(rig.calls.filter((call) => call !== 'promote').length).toBeLessThanOrEqual(50);
  await rig.engine.stop();
});

test('a task whose lease ran out is queued again', async () => {
  const rig = createRig();
  rig.engine.start();
  await rig.clock.advance(31_000);
  const id = await rig.enqueue({});
  await rig.claim('w', 2_000);
  await rig.clock.advance(8_000);
  expect(await rig.task(id)).toMatchObject({ state: 'queued', reason: 'lease_lost', interruptions: 1, attempt: 0 });
  await rig.engine.stop();
});

test('after an outage the living have one lease to renew before anything is taken from them', async () => {
  const rig = createRig();
  const id = await rig.enqueue({});
  rig.engine.start();
  await rig.clock.advance(31_000);
  const leases = await rig.claim('w');
  rig.fail = true;
  await rig.clock.advance(60_000);
  rig.fail = false;
  await rig.clock.advance(20_000);
  expect((await rig.task(id)).state).toBe('running');
  const beats = leases.map((lease) => ({ lease, ranMs: 1, progress: null, logs: [], checkpoints: [] }));
  const answer = await rig.broker.heartbeat({ worker: presence('w'), leaseMs: 30_000, beats });
  expect(answer.beats).toEqual(['ok']);
  await rig.clock.advance(20_000);
  expect((await rig.task(id)).state).toBe('running');
  await rig.clock.advance(40_000);
  expect((await rig.task(id)).state).toBe('queued');
  await rig.engine.stop();
});

test('a jump of the store clock takes nothing from the living before they could renew', async () => {
  const rig = createRig();
  rig.engine.start();
  await rig.clock.advance(40_000);
  const id = await rig.enqueue({});
  await rig.claim('w');
  rig.storeAheadMs = 3_600_000;
  await rig.clock.advance(25_000);
  expect((await rig.task(id)).state).toBe('running');
  await rig.clock.advance(20_000);
  expect((await rig.task(id)).state).toBe('queued');
  await rig.engine.stop();
});

test('an engine that stood still gives the living time to renew before it takes anything', async () => {
  const rig = createRig();
  const id = await rig.enqueue({});
  const [lease] = await rig.claim('living');
  const beat = {
    lease: lease ?? { taskId: id, token: '', epoch: 1 },
    ranMs: 1,
    progress: null,
    logs: [],
    checkpoints: [],
  };
  const renew = () => rig.broker.heartbeat({ worker: presence('living'), leaseMs: 30_000, beats: [beat] });
  rig.engine.start();
  for (let i = 0; i < 5; i++) {
    await rig.clock.advance(10_000);
    await renew();
  }
  // Frozen with everybody else, as a suspended container is: all timers are late, the clock is not.
  rig.clock.freeze(60_000);
  await rig.clock.advance(1_000);
  expect((await renew()).beats).toEqual(['ok']);
  await rig.clock.advance(6_000);
  expect(await rig.task(id)).toMatchObject({ state: 'running', epoch: 1 });
  await rig.engine.stop();
});

test('the tasks of a worker that is proved dead come back at once, even during the recovery', async () => {
  const rig = createRig({ isGone: ({ pid }) => pid === 666 });
  const [mine, others] = [await rig.enqueue({}), await rig.enqueue({})];
  await rig.broker.heartbeat({ worker: presence('dead', { pid: 666 }), leaseMs: 30_000, beats: [] });
  await rig.broker.heartbeat({ worker: presence('alive'), leaseMs: 30_000, beats: [] });
  const claim = { token: 'd', queues: [{ name: 'default', limit: 1 }], limit: 1, leaseMs: 30_000 };
  await rig.broker.claim({ ...claim, workerId: 'dead' });
  await rig.broker.claim({ ...claim, token: 'a', workerId: 'alive' });
  rig.engine.start();
  await rig.clock.advance(1_000);
  expect((await rig.task(mine)).state).toBe('queued');
  expect((await rig.task(others)).state).toBe('running');
  await rig.engine.stop();
});

test.each([
  ['work.ts', { state: 'queued', reason: 'lease_lost', crashes: 1, interruptions: 4 }],
  [null, { state: 'failed', reason: 'crash_loop', crashes: 3 }],
])(
  'only a run without a process of its own is blamed for the ends of its workers (file %s)',
  async (file, expected) => {
    const rig = createRig({ isGone: ({ pid }) => pid === 666 });
    const id = await rig.enqueue({});
    rig.engine.start();
    for (const workerId of ['a', 'b', 'c', 'd', 'e']) {
      const definitions = [
        publishedDefinition(
          createDefinition('a', async () => null),
          file,
        ),
      ];
      const news = { ranMs: 1, progress: null, logs: [], checkpoints: [] };
      const beats = (await rig.claim(workerId)).map((lease) => ({ lease, ...news }));
      const worker = presence(workerId, { pid: 666, definitions });
      await rig.broker.heartbeat({ worker, leaseMs: 30_000, beats });
      await rig.clock.advance(6_000);
    }
    expect(await rig.task(id)).toMatchObject(expected);
    await rig.engine.stop();
  },
);

test('waiting tasks past their start deadline or life are cancelled as expired', async () => {
  const rig = createRig();
  const ids = [await rig.enqueue({ startWithinMs: 1_000 }), await rig.enqueue({ expiresInMs: 2_000 })];
  rig.engine.start();
  await rig.clock.advance(8_000);
  for (const id of ids) expect(await rig.task(id)).toMatchObject({ state: 'cancelled', reason: 'expired' });
  await rig.engine.stop();
});

test('finished tasks past their retention are removed', async () => {
  const rig = createRig();
  const id = await rig.enqueue({ keepMs: 10_000 });
  await rig.broker.cancel({ taskIds: [id], reason: null });
  rig.engine.start();
  await rig.clock.advance(140_000);
  expect(await rig.broker.getTasks([id])).toEqual([null]);
  await rig.engine.stop();
});

test('each minute is sampled with depth, slots and workers', async () => {
  const rig = createRig();
  await rig.enqueue({});
  await rig.broker.heartbeat({ worker: presence('w'), leaseMs: 30_000, beats: [] });
  rig.engine.start();
  await rig.clock.advance(1);
  expect(rig.samples).toMatchObject([{ queue: 'default', waiting: 1, running: 0, slots: 4, workers: 1 }]);
  await rig.clock.advance(240_000);
  const minutes = new Set(rig.samples.map((sample) => sample.at));
  expect(minutes.size).toBeGreaterThanOrEqual(4);
  for (const at of minutes) expect(at % 60_000).toBe(0);
  await rig.engine.stop();
});

test('a server publishes itself and says goodbye', async () => {
  const rig = createRig({ presence: { workerId: 's', name: 'server', version: '1' } });
  rig.engine.start();
  await rig.clock.advance(1);
  expect(await rig.broker.getWorkers()).toMatchObject([{ workerId: 's', server: true, services: true, queues: {} }]);
  await rig.engine.stop();
  expect(await rig.broker.getWorkers()).toEqual([]);
  expect(rig.clock.timers()).toBe(0);
});

test('after a stop that nobody waits for, the calls in flight are the last ones', async () => {
  const rig = createRig();
  const gate = Promise.withResolvers<void>();
  const [info, claimOverdue] = [rig.broker.info, rig.broker.claimOverdue];
  await rig.enqueue({ startWithinMs: 1 });
  await rig.clock.advance(10);
  Object.assign(rig.broker, {
    claimOverdue: (request: Parameters<Broker['claimOverdue']>[0]) => gate.promise.then(() => claimOverdue(request)),
  });
  rig.engine.start();
  await rig.clock.advance(10);
  Object.assign(rig.broker, { info: () => gate.promise.then(info) });
  await rig.clock.advance(61_000);
  const stopping = rig.engine.stop();
  rig.calls.length = 0;
  gate.resolve();
  await stopping;
  expect(rig.calls).toEqual([]);
});

test('an engine starts and stops more than once', async () => {
  const rig = createRig();
  rig.engine.start();
  rig.engine.start();
  await rig.clock.advance(10);
  await Promise.all([rig.engine.stop(), rig.engine.stop()]);
  rig.calls.length = 0;
  rig.engine.start();
  await rig.clock.advance(10);
  expect(rig.calls.filter((call) => call === 'promote')).toHaveLength(1);
  await rig.engine.stop();
});
