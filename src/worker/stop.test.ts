/** Checks how a worker stops: nothing lost, nothing charged that did not run, and no end without an end. */
import { expect, test } from 'vitest';
import { createWorkerRig, type Handler } from '../../test/support/worker-rig.ts';
import { taskFlowError } from '../core/errors.ts';

const obedient: Handler = (_, context) =>
  new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));

test('stopping waits for handlers, keeps their leases and claims nothing new', async () => {
  const gate = Promise.withResolvers<number>();
  const rig = createWorkerRig({ a: () => gate.promise }, { concurrency: 1 });
  const [first = '', second = ''] = await rig.enqueue({}, {});
  rig.worker.start();
  await rig.clock.advance(100);
  const stopping = rig.worker.stop({ drainMs: 60_000 });
  rig.calls.length = 0;
  await rig.clock.advance(40_000);
  expect(rig.calls.filter((call) => call === 'heartbeat').length).toBeGreaterThanOrEqual(3);
  expect(rig.calls).not.toContain('claim');
  gate.resolve(1);
  await rig.clock.advance(1);
  await stopping;
  expect((await rig.task(first)).state).toBe('succeeded');
  expect(await rig.task(second)).toMatchObject({ state: 'queued', attempt: 0 });
  expect(rig.clock.timers()).toBe(0);
});

test('claimed tasks that have not begun go back at once, uncharged', async () => {
  const gate = Promise.withResolvers<number>();
  let runs = 0;
  const rig = createWorkerRig({ a: () => (++runs > 40 ? gate.promise : 1) }, { concurrency: 2 });
  const ids = await rig.enqueue(...Array.from({ length: 60 }, () => ({})));
  rig.worker.start();
  await rig.clock.advance(30);
  const stopping = rig.worker.stop();
  await rig.clock.advance(1);
  const tasks = await Promise.all(ids.map((id) => rig.task(id)));
  expect(tasks.filter((task) => task.state === 'running')).toHaveLength(2);
  for (const task of tasks.filter((one) => one.state === 'queued')) expect(task.attempt).toBe(0);
  gate.resolve(1);
  await rig.clock.advance(1);
  await stopping;
});

test('handlers that outlast the patience are aborted, and handed back when they end', async () => {
  let reason: unknown = null;
  const rig = createWorkerRig({
    a: (_, context) =>
      new Promise((_, reject) =>
        context.signal.addEventListener('abort', () => {
          reason = context.signal.reason;
          reject(new Error('interrupted'));
        }),
      ),
  });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  const stopping = rig.worker.stop({ drainMs: 2_000 });
  await rig.clock.advance(2_100);
  await stopping;
  expect(reason).toMatchObject({ code: 'WORKER_STOPPING' });
  expect(await rig.task(id)).toMatchObject({ state: 'queued', reason: 'released', attempt: 0, interruptions: 1 });
});

test('a handler that ignores everything keeps its lease: it still runs', async () => {
  const rig = createWorkerRig({ a: () => new Promise(() => {}) }, { graceMs: 1_000 });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  const stopping = rig.worker.stop({ drainMs: 1_000 });
  await rig.clock.advance(6_100);
  await stopping;
  expect(await rig.task(id)).toMatchObject({ state: 'running', attempt: 1 });
  expect(rig.clock.timers()).toBe(0);
});

test('a second stop is the same promise, a start after it does nothing', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  const stopping = rig.worker.stop();
  expect(rig.worker.stop()).toBe(stopping);
  await rig.clock.advance(1);
  await stopping;
  rig.worker.start();
  await rig.clock.advance(5_000);
  expect(rig.clock.timers()).toBe(0);
  expect(await rig.broker.getWorkers()).toEqual([]);
});

test('a store that is away does not keep a worker from stopping', async () => {
  const rig = createWorkerRig({ a: obedient });
  await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  rig.faults.fail = () => taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
  const stopping = rig.worker.stop({ drainMs: 1_000 });
  await rig.clock.advance(20_000);
  await stopping;
  expect(rig.clock.timers()).toBe(0);
});

test('a store that never answers does not keep a worker from stopping', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  rig.worker.start();
  await rig.clock.advance(100);
  rig.broker.claim = () => new Promise(() => {});
  rig.broker.heartbeat = () => new Promise(() => {});
  await rig.clock.advance(2_000);
  const stopping = rig.worker.stop({ drainMs: 1_000 });
  await rig.clock.advance(60_000);
  await stopping;
  expect(rig.clock.timers()).toBe(0);
});

test('a worker that never started stops at once', async () => {
  const rig = createWorkerRig({ a: () => 1 });
  await rig.worker.stop();
  expect(rig.calls).toEqual([]);
});

test('a handler that ignores its cancellation does not hold up a stop, even while the store is away', async () => {
  const rig = createWorkerRig({ a: () => new Promise(() => {}) }, { graceMs: 1_000 });
  const [id = ''] = await rig.enqueue({});
  rig.worker.start();
  await rig.clock.advance(100);
  await rig.broker.cancel({ taskIds: [id], reason: null });
  await rig.clock.advance(100);
  rig.faults.fail = () => taskFlowError('STORE_UNREACHABLE', { problem: 'away' });
  let stopped = false;
  const stopping = rig.worker.stop({ drainMs: 60_000 }).then(() => {
    stopped = true;
  });
  await rig.clock.advance(20_000);
  expect(stopped).toBe(true);
  await stopping;
});
