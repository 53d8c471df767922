/** Runs the worker of this package over HTTP against real servers: retries, steps, cancels, stops and lost replies go as at the store. */
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createApp } from '../../src/api/app.ts';
import { type RunningServer, serve } from '../../src/api/serve.ts';
import { connect } from '../../src/broker/connect.ts';
import { systemChance } from '../../src/core/chance.ts';
import { definitionOf } from '../../src/core/definition.ts';
import type { TaskState } from '../../src/core/states.ts';
import { systemClock } from '../../src/core/time.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Store } from '../../src/history/history.ts';
import { fatal, snooze, task } from '../../src/index.ts';
import { createContext } from '../../src/operations/context.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { openTestStore } from '../../src/testing/stores.ts';
import { createWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts';
import { newTask, sampleId } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (undo.length > 0) await undo.pop()?.();
});

const reported: unknown[] = [];

/** A server with its engine over a store of its own. */
async function startServer(store?: Store): Promise<{ store: Store; server: RunningServer }> {
  const own = store ?? (await openTestStore('memory', systemClock.now, systemChance));
  const context = createContext({ store: own, actor: { name: 'key:worker', role: 'operator' } });
  const fetch = createApp({ context, report: (error) => reported.push(error) });
  const server = await serve({ fetch, host: '127.0.0.1', port: 0, insecure: false, clock: systemClock });
  const engine = createEngine({
    store: own,
    clock: systemClock,
    chance: systemChance,
    report: () => undefined,
    recoveryMs: 0,
  });
  engine.start();
  undo.push(async () => {
    context.remote.hints.end();
    await Promise.all([server.close(100), engine.stop()]);
  });
  return { store: own, server };
}

type Run = Parameters<typeof task>[1]['run'];

async function startWorker(
  url: string,
  handlers: Readonly<Record<string, Run>>,
  more: Partial<WorkerOptions> = {},
): Promise<Worker> {
  const store = connect(url);
  await store.broker.open();
  const definitions = Object.entries(handlers).flatMap(
    ([name, run]) =>
      definitionOf(task(name, { input: z.unknown(), retry: { attempts: 3, delay: '10ms', jitter: 'none' }, run })) ??
      [],
  );
  const worker = createWorker({ store, definitions, services: 'never', ...more });
  worker.start();
  undo.push(async () => {
    await worker.stop({ drainMs: 0 });
    await store.close();
  });
  return worker;
}

const policy = '{"attempts":3,"delayMs":10,"jitter":"none"}';

function enqueue({ broker }: Store, number: number, name: string, payload = '{}'): Promise<unknown> {
  return broker.enqueue([newTask(sampleId(number), { name, queue: 'default', payload, policy, timeoutMs: 60_000 })]);
}

async function ended(store: Store, number: number, state: TaskState) {
  return waitFor(async () => {
    const [found] = await store.broker.getTasks([sampleId(number)]);
    expect(found?.state).toBe(state);
    return found!;
  });
}

test('runs, retries, snoozes, gives up, remembers steps and says how far it is', async () => {
  const { store, server } = await startServer();
  const tries: Record<string, number> = {};
  const count = (name: string): number => {
    tries[name] = (tries[name] ?? 0) + 1;
    return tries[name];
  };
  await startWorker(server.url, {
    echo: async (input, context) => {
      context.log.info('here', { big: 1 });
      context.progress(1, 2, 'half');
      return input;
    },
    flaky: async (_, context) => {
      const value = await context.step('once', () => count('step'));
      if (count('flaky') < 3) throw new Error('not yet');
      return { value, attempt: context.attempt };
    },
    hopeless: async () => {
      throw fatal('no use');
    },
    later: async () => {
      if (count('later') === 1) throw snooze('10ms');
      return 'done';
    },
  });
  await enqueue(store, 1, 'echo', '{"n":[1,2.5,null]}');
  await enqueue(store, 2, 'flaky');
  await enqueue(store, 3, 'hopeless');
  await enqueue(store, 4, 'later');
  await enqueue(store, 5, 'unknown');
  expect(await ended(store, 1, 'succeeded')).toMatchObject({
    result: '{"n":[1,2.5,null]}',
    progress: { done: 1, total: 2, note: 'half' },
  });
  expect(await ended(store, 2, 'succeeded')).toMatchObject({ result: '{"value":1,"attempt":3}', attempt: 3 });
  expect(await ended(store, 3, 'failed')).toMatchObject({ attempt: 1, error: { message: 'no use' } });
  expect(await ended(store, 4, 'succeeded')).toMatchObject({ snoozes: 1, attempt: 1 });
  expect(await ended(store, 5, 'scheduled')).toMatchObject({ reason: 'unknown_task', attempt: 0 });
  expect(tries.step).toBe(1);
});

test('is told at once that a run is cancelled, and ends it', async () => {
  const { store, server } = await startServer();
  let reason: unknown = null;
  await startWorker(server.url, {
    long: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      }),
  });
  await enqueue(store, 1, 'long');
  await ended(store, 1, 'running');
  await store.broker.cancel({ taskIds: [sampleId(1)], reason: null });
  await ended(store, 1, 'cancelled');
  expect(reason).toMatchObject({ code: 'TASK_CANCELLED' });
});

test('gives back what it does not end when it stops, and is gone from the list', async () => {
  const { store, server } = await startServer();
  const worker = await startWorker(server.url, {
    long: (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  await enqueue(store, 1, 'long');
  await ended(store, 1, 'running');
  expect(await store.broker.getWorkers()).toContainEqual(expect.objectContaining({ taskNames: ['long'] }));
  await worker.stop({ drainMs: 10 });
  expect(await ended(store, 1, 'queued')).toMatchObject({ attempt: 0, interruptions: 1 });
  expect((await store.broker.getWorkers()).filter(({ server: isServer }) => !isServer)).toEqual([]);
});

test('loses and repeats nothing while replies are lost and connections cut', async () => {
  const { store, server } = await startServer();
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'http' });
  undo.push(() => proxy.close());
  const runs = new Map<string, number>();
  await startWorker(`http://127.0.0.1:${proxy.port}`, {
    work: async (_, { id }) => {
      runs.set(id, (runs.get(id) ?? 0) + 1);
      return id;
    },
  });
  const numbers = Array.from({ length: 60 }, (_, at) => at + 1);
  for (const number of numbers) {
    if (number % 12 === 3) proxy.inflict({ kind: 'silence', of: 'replies' });
    if (number % 12 === 6) proxy.reset();
    if (number % 12 === 7) proxy.inflict({ kind: 'cutAfter', bytes: 700 });
    if (number % 12 === 0) proxy.inflict({ kind: 'none' });
    await enqueue(store, number, 'work');
    await new Promise((resolve) => setImmediate(resolve));
  }
  proxy.inflict({ kind: 'none' });
  for (const number of numbers) expect(await ended(store, number, 'succeeded')).toMatchObject({ attempt: 1, epoch: 1 });
  expect([...new Set(runs.values())]).toEqual([1]);
  expect(proxy.hits()).toBeGreaterThan(0);
});

test('goes on when its server is another one, and reports what ended meanwhile', async () => {
  const { store, server } = await startServer();
  const gate = Promise.withResolvers<string>();
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'http' });
  undo.push(() => proxy.close());
  await startWorker(`http://127.0.0.1:${proxy.port}`, { work: () => gate.promise });
  await enqueue(store, 1, 'work');
  await ended(store, 1, 'running');
  proxy.inflict({ kind: 'refuse' });
  gate.resolve('ended while nobody answered');
  await new Promise((resolve) => setImmediate(resolve));
  proxy.inflict({ kind: 'none' });
  expect(await ended(store, 1, 'succeeded')).toMatchObject({ result: '"ended while nobody answered"', attempt: 1 });
});

test('what needs the store itself is refused in plain words', async () => {
  const { server } = await startServer();
  const { broker } = connect(server.url);
  undo.push(() => broker.close());
  await expect(broker.enqueue([])).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  await expect(broker.schedules.put([])).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  expect(() => connect('http://user:secret@127.0.0.1:8000')).toThrow(/does not belong into an address/);
  await expect(connect('http://127.0.0.1:1').broker.open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  expect(reported).toEqual([]);
});
