/** Lets handlers of a worker over HTTP wait for other tasks, with keys, on every store: they get what they would get at the store, or a word. */

import process from 'node:process';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/broker/connect.ts';
import { type Client, makeClient } from '../../src/client/client.ts';
import type { NewKey } from '../../src/core/access.ts';
import { definitionOf } from '../../src/core/definition.ts';
import { limits } from '../../src/core/limits.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';
import { task } from '../../src/index.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { newTask } from '../conformance/samples.ts';
import { waitFor } from '../support/wait-for.ts';
import { onEachWorkerServer, type WorkerServer } from '../support/worker-server.ts';

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (undo.length > 0) await undo.pop()?.();
  delete process.env.TASKFLOW_TOKEN;
});

const send = globalThis.fetch;
let queues = 0;

/** A worker with two slots on a queue of its own, whose key has these scopes, and a client as its handlers have it. */
async function createWorld(server: WorkerServer, scopes: NonNullable<NewKey['scopes']>) {
  const queue = `waits${++queues}`;
  process.env.TASKFLOW_TOKEN = (await server.newKey({ queues: [queue], scopes })).token;
  const store = connect(server.url);
  const client: Client = makeClient({
    open: async () => ({ broker: store.broker, close: async () => undefined }),
  });
  return {
    queue,
    client,
    async start(...tasks: readonly unknown[]): Promise<void> {
      await store.broker.open();
      const definitions = tasks.flatMap((one) => definitionOf(one) ?? []);
      const worker = createWorker({ store, definitions, services: 'never', queues: [queue], concurrency: 2 });
      worker.start();
      undo.push(async () => {
        await worker.stop({ drainMs: 0 });
        await store.close();
      });
    },
    async ended(name: string, state: TaskState, given: Partial<NewTask> = {}) {
      const id = server.context.ids.next();
      const policy = '{"attempts":1}';
      await server.store.broker.enqueue([
        newTask(id, { name, queue, payload: '{}', policy, timeoutMs: 60_000, ...given }),
      ]);
      return waitFor(async () => {
        const [found] = await server.store.broker.getTasks([id]);
        expect(found?.state).toBe(state);
        return found!;
      });
    },
  };
}

await onEachWorkerServer((server) => {
  test('a handler waits for the tasks it enqueued, and keeps its place as at the store', async () => {
    const { queue, client, start, ended } = await createWorld(server(), ['work', 'enqueue', 'read']);
    const child = task('child', {
      input: z.object({ n: z.number() }),
      queue,
      retry: 1,
      run: async ({ n }) => {
        if (n === 0) throw new Error('nothing to double');
        return n === 1 ? null : n * 2;
      },
    });
    const definition = definitionOf(child)!;
    const count = limits.resultsMax + 5;
    const codeOf = (asked: Promise<unknown>) => asked.catch((error: { code: string }) => error.code);
    const parent = task('parent', {
      input: z.unknown(),
      queue,
      run: async () => {
        const numbers = Array.from({ length: count }, (_one, number) => ({ n: number + 1 }));
        const handles = await client.enqueueMany<number | null>(definition, numbers);
        const [first, ...rest] = await Promise.all(handles.map((handle) => handle.result()));
        const doomed = await client.enqueue(definition, { n: 0 });
        const failure = await codeOf(doomed.result());
        const unknown = await codeOf(client.handle(server().context.ids.next()).result());
        const sum = rest.reduce<number>((all, one) => all + (one ?? 0), 0);
        return { first, sum, failure, unknown, state: await doomed.state() };
      },
    });
    await start(parent, child);
    const { result } = await ended('parent', 'succeeded');
    expect(JSON.parse(result ?? 'null')).toEqual({
      ...{ first: null, sum: count * (count + 1) - 2 },
      ...{ failure: 'TASK_FAILED', unknown: 'TASK_NOT_FOUND', state: 'failed' },
    });
  });

  test('a handler that waits asks for the end once, and is told of it', async () => {
    const { queue, client, start, ended } = await createWorld(server(), ['work', 'enqueue', 'read']);
    const asked: string[] = [];
    const spy = vi.spyOn(globalThis, 'fetch').mockImplementation((address, init) => {
      if (String(address).includes('/tasks/results?')) asked.push(String(address));
      return send(address, init);
    });
    undo.push(async () => spy.mockRestore());
    const { promise: mayEnd, resolve: letEnd } = Promise.withResolvers<void>();
    const child = task('child', { input: z.unknown(), queue, retry: 1, run: () => mayEnd });
    const definition = definitionOf(child)!;
    const parent = task('parent', {
      input: z.unknown(),
      queue,
      run: async () => (await client.enqueue(definition, {})).result(),
    });
    await start(parent, child);
    const over = ended('parent', 'succeeded');
    await waitFor(() => expect(asked.length).toBeGreaterThan(0));
    letEnd();
    await over;
    expect(asked.filter((address) => !address.includes('wait='))).toEqual([]);
  });

  test.each([
    [['work'], 'needs the scope read'],
    [['work', 'read'], 'has hidden values'],
  ] as const)('a handler that waits with a key for %j is told why it gets nothing', async (scopes, words) => {
    const { queue, client, start, ended } = await createWorld(server(), scopes);
    let secretId = '';
    const wait = task('wait', { input: z.unknown(), queue, run: () => client.handle(secretId).result() });
    await start(wait, task('secret', { input: z.unknown(), queue, run: async () => ({ pin: '12345' }) }));
    ({ id: secretId } = await ended('secret', 'succeeded', { policy: '{"attempts":1,"redact":["result.pin"]}' }));
    const { error } = await ended('wait', 'failed');
    expect(error).toMatchObject({ message: expect.stringContaining(words) });
  });
});
