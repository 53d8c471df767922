/**
 * Runs the worker of this package over HTTP against servers on every store, with keys: retries, steps, cancels, stops and lost replies
 * go as at the store, and handlers enqueue, read their parents and begin flows.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/broker/connect.ts';
import { type Client, makeClient } from '../../src/client/client.ts';
import type { NewKey } from '../../src/core/access.ts';
import { definitionsIn } from '../../src/core/collect.ts';
import { definitionOf } from '../../src/core/definition.ts';
import { limits } from '../../src/core/limits.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import { fatal, flow, snooze, task } from '../../src/index.ts';
import { startFaultProxy } from '../../src/servers/fault-proxy.ts';
import { createWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts';
import { newTask } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { onEachWorkerServer, type WorkerServer } from '../support/worker-server.ts';

type Run = Parameters<typeof task>[1]['run'];

const undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  while (undo.length > 0) await undo.pop()?.();
  delete process.env.TASKFLOW_TOKEN;
  delete process.env.TASKFLOW_TOKEN_FILE;
});

const policy = '{"attempts":3,"delayMs":10,"jitter":"none"}';
let queues = 0;

/** A queue of its own, whose workers have a key for it alone. */
function createWorld(server: WorkerServer) {
  queues += 1;
  const queue = `runs${queues}`;
  const { broker } = server.store;
  const key = (given: Partial<NewKey> = {}) => server.newKey({ queues: [`${queue}*`], ...given });

  async function startWorker(
    handlers: Handlers,
    { url = server.url, ...more }: Partial<WorkerOptions> & { readonly url?: string } = {},
  ): Promise<Worker & { readonly client: Client }> {
    process.env.TASKFLOW_TOKEN ??= (await key()).token;
    const store = connect(url);
    await store.broker.open();
    const definitions = isList(handlers) ? handlers : definitionsOf(handlers, queue);
    const worker = createWorker({ store, definitions, services: 'never', queues: [queue], ...more });
    worker.start();
    const client = makeClient({ open: async () => ({ broker: store.broker, close: async () => undefined }) });
    undo.push(async () => {
      await worker.stop({ drainMs: 0 });
      await store.close();
    });
    return Object.assign(worker, { client });
  }

  return {
    queue,
    key,
    startWorker,
    async enqueue(name: string, given: Partial<NewTask> = {}): Promise<string> {
      const id = server.context.ids.next();
      await broker.enqueue([newTask(id, { name, queue, payload: '{}', policy, timeoutMs: 60_000, ...given })]);
      return id;
    },
    ended: (id: string, state: TaskState) =>
      waitFor(async () => {
        const [found] = await broker.getTasks([id]);
        expect(found?.state).toBe(state);
        return found!;
      }),
    async proxied() {
      const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'http' });
      undo.push(proxy.close);
      return { proxy, url: `http://127.0.0.1:${proxy.port}` };
    },
  };
}

type Handlers = Readonly<Record<string, Run>> | WorkerOptions['definitions'];
const isList = (handlers: Handlers): handlers is WorkerOptions['definitions'] => Array.isArray(handlers);

function definitionsOf(handlers: Readonly<Record<string, Run>>, queue: string) {
  return Object.entries(handlers).flatMap(
    ([name, run]) =>
      definitionOf(
        task(name, { input: z.unknown(), queue, retry: { attempts: 3, delay: '10ms', jitter: 'none' }, run }),
      ) ?? [],
  );
}

/** Runs until it is told to end, and tells why that was. */
function untilAborted() {
  const begun = Promise.withResolvers<void>();
  const told: unknown[] = [];
  const run: Run = (_, { signal }) => {
    begun.resolve();
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        told.push(signal.reason);
        reject(signal.reason);
      });
    });
  };
  return { run, begun: begun.promise, told };
}

await onEachWorkerServer((server) => {
  let world: ReturnType<typeof createWorld>;
  beforeEach(() => {
    world = createWorld(server());
  });

  test('runs, retries, snoozes, gives up, remembers steps and says how far it is', async () => {
    const { startWorker, enqueue, ended } = world;
    const tries: Record<string, number> = {};
    const count = (name: string): number => {
      tries[name] = (tries[name] ?? 0) + 1;
      return tries[name];
    };
    await startWorker({
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
    const echo = await enqueue('echo', { payload: '{"n":[1,2.5,null]}' });
    const flaky = await enqueue('flaky');
    const hopeless = await enqueue('hopeless');
    const later = await enqueue('later');
    const unknown = await enqueue('unknown');
    expect(await ended(echo, 'succeeded')).toMatchObject({
      result: '{"n":[1,2.5,null]}',
      progress: { done: 1, total: 2, note: 'half' },
    });
    expect(await ended(flaky, 'succeeded')).toMatchObject({ result: '{"value":1,"attempt":3}', attempt: 3 });
    expect(await ended(hopeless, 'failed')).toMatchObject({ attempt: 1, error: { message: 'no use' } });
    expect(await ended(later, 'succeeded')).toMatchObject({ snoozes: 1, attempt: 1 });
    expect(await ended(unknown, 'scheduled')).toMatchObject({ reason: 'unknown_task', attempt: 0 });
    expect(tries.step).toBe(1);
  });

  test('is told at once that a run is cancelled, and ends it', async () => {
    const { startWorker, enqueue, ended } = world;
    const { run, begun, told } = untilAborted();
    await startWorker({ long: run });
    const id = await enqueue('long');
    await begun;
    await server().store.broker.cancel({ taskIds: [id], reason: null });
    await ended(id, 'cancelled');
    expect(told).toMatchObject([{ code: 'TASK_CANCELLED' }]);
  });

  test('ends a run whose time is over', async () => {
    const { startWorker, enqueue, ended } = world;
    const { run, told } = untilAborted();
    await startWorker({ long: run });
    const id = await enqueue('long', { timeoutMs: 50, policy: '{"attempts":1}' });
    expect(await ended(id, 'failed')).toMatchObject({ reason: 'timeout', attempt: 1 });
    expect(told).toMatchObject([{ code: 'HANDLER_TIMEOUT' }]);
  });

  test('gives back what it does not end when it stops, and is gone from the list', async () => {
    const { startWorker, enqueue, ended } = world;
    const { broker } = server().store;
    const { run, begun } = untilAborted();
    const worker = await startWorker({ long: run }, { name: world.queue });
    const id = await enqueue('long');
    await begun;
    const here = async () => (await broker.getWorkers()).filter(({ name }) => name === world.queue);
    await waitFor(async () => expect(await here()).toMatchObject([{ taskNames: ['long'] }]));
    await worker.stop({ drainMs: 10 });
    expect(await ended(id, 'queued')).toMatchObject({ attempt: 0, interruptions: 1 });
    expect(await here()).toEqual([]);
  });

  test('loses and repeats nothing while replies are lost and connections cut', async () => {
    const { startWorker, enqueue, ended, proxied } = world;
    const { proxy, url } = await proxied();
    const runs = new Map<string, number>();
    await startWorker(
      {
        work: async (_, { id }) => {
          runs.set(id, (runs.get(id) ?? 0) + 1);
          return id;
        },
      },
      { url },
    );
    const ids: string[] = [];
    for (let number = 1; number <= 60; number++) {
      if (number % 12 === 3) proxy.inflict({ kind: 'silence', of: 'replies' });
      if (number % 12 === 6) proxy.reset();
      if (number % 12 === 7) proxy.inflict({ kind: 'cutAfter', bytes: 700 });
      if (number % 12 === 0) proxy.inflict({ kind: 'none' });
      ids.push(await enqueue('work'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    proxy.inflict({ kind: 'none' });
    for (const id of ids) expect(await ended(id, 'succeeded')).toMatchObject({ attempt: 1, epoch: 1 });
    expect([...new Set(runs.values())]).toEqual([1]);
    expect(proxy.hits()).toBeGreaterThan(0);
  });

  test('reports what ended while nobody answered', async () => {
    const { startWorker, enqueue, ended, proxied } = world;
    const gate = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    const { proxy, url } = await proxied();
    const run: Run = () => {
      begun.resolve();
      return gate.promise;
    };
    await startWorker({ work: run }, { url });
    const id = await enqueue('work');
    await begun.promise;
    proxy.inflict({ kind: 'refuse' });
    gate.resolve('ended while nobody answered');
    await new Promise((resolve) => setImmediate(resolve));
    proxy.inflict({ kind: 'none' });
    expect(await ended(id, 'succeeded')).toMatchObject({ result: '"ended while nobody answered"', attempt: 1 });
  });

  test('handlers enqueue tasks, once each though replies are lost and the run is repeated', async () => {
    const { queue, key, startWorker, enqueue, ended, proxied } = world;
    process.env.TASKFLOW_TOKEN = (await key({ scopes: ['work', 'enqueue'] })).token;
    const { proxy, url } = await proxied();
    const child = task('child', { input: z.object({ n: z.number() }), queue, run: async ({ n }) => n * 2 });
    const childId = server().context.ids.next();
    const definition = definitionOf(child)!;
    const [parent] = definitionsOf(
      {
        parent: async (_, { attempt }) => {
          if (attempt === 1) proxy.inflict({ kind: 'silence', of: 'replies' });
          const asked = worker.client.enqueue(definition, { n: 21 }, { id: childId });
          if (attempt === 1)
            await waitFor(async () => {
              // It is stored, and nobody has heard of it.
              expect(await server().store.broker.getTasks([childId])).not.toEqual([null]);
              proxy.reset();
              proxy.inflict({ kind: 'none' });
            });
          const { id } = await asked;
          if (attempt === 1) throw new Error('again');
          return id;
        },
      },
      queue,
    );
    const worker = await startWorker([parent!, definition], { url });
    const id = await enqueue('parent');
    expect(await ended(id, 'succeeded')).toMatchObject({ attempt: 2, result: JSON.stringify(childId) });
    expect(await ended(childId, 'succeeded')).toMatchObject({ result: '42', epoch: 1 });
  });

  test('a handler whose key is not for enqueueing is told so', async () => {
    const { queue, startWorker, enqueue, ended } = world;
    const [definition] = definitionsOf({ child: async () => null }, queue);
    const worker = await startWorker({ parent: async () => (await worker.client.enqueue(definition!, {})).id });
    const id = await enqueue('parent', { policy: '{"attempts":1}' });
    const { error } = await ended(id, 'failed');
    expect(error).toMatchObject({ message: expect.stringContaining('needs the scope enqueue') });
  });

  test('a run reads results of its parents that were too much for its claim', async () => {
    const { queue, startWorker, enqueue, ended } = world;
    const size = limits.resultBytesMax - 100;
    const count = Math.ceil(limits.claimParentsBytesMax / size) + 2;
    await startWorker({
      part: async () => 'x'.repeat(size),
      sum: async (_, { parents }) => parents.reduce((sum, { result }) => sum + String(result).length, 0),
    });
    const parents: string[] = [];
    for (let number = 0; number < count; number++) parents.push(await enqueue('part'));
    const dependsOn = parents.map((taskId) => ({ taskId, onFailure: 'fail' as const }));
    const id = await enqueue('sum', { dependsOn, queue });
    expect(await ended(id, 'succeeded')).toMatchObject({ result: String(count * size), attempt: 1 });
  });

  test('a flow runs from its first step to its end, and so do the tasks that its steps bring along', async () => {
    const { queue, startWorker, enqueue, ended } = world;
    const cut = task('cut', { input: z.object({ of: z.string() }), queue, run: async ({ of }) => [...of] });
    const upper = task('upper', {
      input: z.object({ one: z.string() }),
      queue,
      run: async ({ one }) => one.toUpperCase(),
    });
    const word = flow('word', { input: z.object({ of: z.string() }), queue })
      .step('letters', cut)
      .from(({ flow: { of } }) => ({ of }))
      .step('all', upper, { needs: ['letters'] })
      .forEach(({ letters }) => letters.map((one) => ({ one })));
    await startWorker(definitionsIn([{ cut, upper, word }]));
    const id = await enqueue('word', { payload: '{"of":"abc"}' });
    expect(await ended(id, 'succeeded')).toMatchObject({
      result: '{"letters":["a","b","c"],"all":["A","B","C"]}',
    });
  });

  test('goes on with another key when its own is revoked, and what it ran is run once more', async () => {
    const { key, startWorker, enqueue, ended } = world;
    const folder = mkdtempSync(join(tmpdir(), 'taskflow-key-'));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'key');
    const first = await key();
    writeFileSync(file, first.token);
    process.env.TASKFLOW_TOKEN_FILE = file;
    process.env.TASKFLOW_TOKEN = 'not the one that is used';
    const runs: string[] = [];
    const { run, begun, told } = untilAborted();
    await startWorker(
      {
        work: (input, context) => {
          runs.push(`${context.id}:${context.fencingToken}`);
          return context.fencingToken === 1 ? run(input, context) : 'done';
        },
      },
      { leaseMs: 1_500 },
    );
    const id = await enqueue('work');
    await begun;
    await server().store.access?.keys.revoke(first.key.id);
    // Its lease ends with its key: the handler hears that, and says nothing any more.
    await waitFor(() => expect(told).toMatchObject([{ code: 'LEASE_LOST' }]));
    writeFileSync(file, (await key()).token);
    expect(await ended(id, 'succeeded')).toMatchObject({ result: '"done"' });
    expect(new Set(runs).size).toBe(runs.length);
  });

  test('what needs the store itself is refused in plain words', async () => {
    process.env.TASKFLOW_TOKEN = (await world.key()).token;
    const { broker } = connect(server().url);
    undo.push(() => broker.close());
    await expect(broker.getTasks([])).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    await expect(broker.schedules.put([])).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
    expect(() => connect('http://user:secret@127.0.0.1:8000')).toThrow(/does not belong into an address/);
    await expect(connect('http://127.0.0.1:1').broker.open()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(server().reported).toEqual([]);
  });
});
