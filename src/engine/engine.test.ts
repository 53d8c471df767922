/** Checks the services over a memory store: promotion in time, recovery of what dead workers left, samples. */
import { expect, test } from 'vitest';
import { createEngineRig, type EngineRig, presence } from '../../test/support/engine-rig.ts';
import { createDefinition } from '../../test/support/worker-rig.ts';
import type { Broker } from '../broker/broker.ts';
import { publishedDefinition } from '../worker/presence.ts';

test('a scheduled task is queued at its time', async () => {
  const rig = createEngineRig();
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
  const rig = createEngineRig();
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
  const rig = createEngineRig({}, { deaf: true });
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
  const rig = createEngineRig();
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
  const rig = createEngineRig({ presence: { workerId: 's', name: 's', version: '1' } });
  rig.engine.start();
  await rig.clock.advance(60_000);
  expect(rig.calls.filter((call) => call === 'promote').length).toBeLessThanOrEqual(62);
  expect(rig.calls.filter((call) => call !== 'promote').length).toBeLessThanOrEqual(50);
  await rig.engine.stop();
});

test('a task whose lease ran out is queued again', async () => {
  const rig = createEngineRig();
  rig.engine.start();
  await rig.clock.advance(31_000);
  const id = await rig.enqueue({});
  await rig.claim('w', 2_000);
  await rig.clock.advance(8_000);
  expect(await rig.task(id)).toMatchObject({ state: 'queued', reason: 'lease_lost', interruptions: 1, attempt: 0 });
  await rig.engine.stop();
});

test('a task that had begun when its lease ran out keeps its start, and is past its start deadline', async () => {
  const rig = createEngineRig();
  rig.engine.start();
  await rig.clock.advance(31_000);
  const id = await rig.enqueue({ startWithinMs: 4_000 });
  const beats = (await rig.claim('w', 2_000)).map((lease) => ({
    lease,
    ranMs: 1,
    progress: null,
    logs: [],
    checkpoints: [],
  }));
  await rig.broker.heartbeat({ worker: presence('w'), leaseMs: 2_000, beats });
  const { startedAt } = await rig.task(id);
  await rig.clock.advance(20_000);
  expect(await rig.task(id)).toMatchObject({ state: 'queued', reason: 'lease_lost', startedAt, startBy: null });
  expect(startedAt).not.toBeNull();
  await rig.engine.stop();
});

test('after an outage the living have one lease to renew before anything is taken from them', async () => {
  const rig = createEngineRig();
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
  const rig = createEngineRig();
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
  const rig = createEngineRig();
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

test.each([
  ['stood still', async (rig: EngineRig) => rig.clock.freeze(4_000)],
  [
    'waited for the lock of the store',
    async (rig: EngineRig) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      rig.lock = promise;
      await rig.clock.advance(4_000);
      rig.lock = null;
      resolve();
    },
  ],
])('where leases are short, an engine that %s for two of them lets the living renew first', async (_words, stop) => {
  const leaseMs = 2_000;
  const rig = createEngineRig({ recoveryMs: leaseMs });
  const id = await rig.enqueue({});
  const leases = await rig.claim('living', leaseMs);
  const beats = leases.map((lease) => ({ lease, ranMs: 1, progress: null, logs: [], checkpoints: [] }));
  const renew = () => rig.broker.heartbeat({ worker: presence('living'), leaseMs, beats });
  rig.engine.start();
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 600) {
      expect((await renew()).beats).toEqual(['ok']);
      await rig.clock.advance(600);
    }
  };
  await live(15_000);
  // At other moments between two looks each time.
  for (let round = 0; round < 20; round++) {
    await stop(rig);
    await rig.clock.advance(500);
    await live(6_000);
  }
  expect(await rig.task(id)).toMatchObject({ state: 'running', epoch: 1 });
  await rig.engine.stop();
});

test('where leases are short, what ran out is noticed within one of them', async () => {
  const rig = createEngineRig({ recoveryMs: 3_000 });
  rig.engine.start();
  await rig.clock.advance(20_000);
  const id = await rig.enqueue({});
  await rig.claim('dead', 3_000);
  await rig.clock.advance(5_000);
  expect(await rig.task(id)).toMatchObject({ state: 'queued', reason: 'lease_lost' });
  await rig.engine.stop();
});

test('the tasks of a worker that is proved dead come back at once, even during the recovery', async () => {
  const rig = createEngineRig({ isGone: ({ pid }) => pid === 666 });
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
    const rig = createEngineRig({ isGone: ({ pid }) => pid === 666 });
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
  const rig = createEngineRig();
  const ids = [await rig.enqueue({ startWithinMs: 1_000 }), await rig.enqueue({ expiresInMs: 2_000 })];
  rig.engine.start();
  await rig.clock.advance(8_000);
  for (const id of ids) expect(await rig.task(id)).toMatchObject({ state: 'cancelled', reason: 'expired' });
  await rig.engine.stop();
});

test('finished tasks past their retention are removed', async () => {
  const rig = createEngineRig();
  const id = await rig.enqueue({ keepMs: 10_000 });
  await rig.broker.cancel({ taskIds: [id], reason: null });
  rig.engine.start();
  await rig.clock.advance(140_000);
  expect(await rig.broker.getTasks([id])).toEqual([null]);
  await rig.engine.stop();
});

test('each minute is sampled with depth, slots and workers', async () => {
  const rig = createEngineRig();
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
  const rig = createEngineRig({ presence: { workerId: 's', name: 'server', version: '1' } });
  rig.engine.start();
  await rig.clock.advance(1);
  expect(await rig.broker.getWorkers()).toMatchObject([{ workerId: 's', server: true, services: true, queues: {} }]);
  await rig.engine.stop();
  expect(await rig.broker.getWorkers()).toEqual([]);
  expect(rig.clock.timers()).toBe(0);
});

test('after a stop that nobody waits for, the calls in flight are the last ones', async () => {
  const rig = createEngineRig();
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
  const rig = createEngineRig();
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
