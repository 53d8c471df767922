/** Checks the worker a program makes for itself: what it refuses, what it runs, and how it stops. */
import { afterEach, expect, test } from 'vitest';
import { waitFor } from '../../test/support/wait-for.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import { systemChance } from '../core/chance.ts';
import { definitionBrand, type TaskDefinition } from '../core/definition.ts';
import type { NewTask } from '../core/task.ts';
import { systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { hostWorker } from './hosted.ts';

function defined(name: string, queue: string, run: TaskDefinition['run'], file: string | null = null): object {
  const definition: TaskDefinition = {
    name,
    queue,
    run,
    description: null,
    timeoutMs: 60_000,
    policy: '{}',
    isolate: 'none',
    memoryMb: null,
    file,
    key: null,
    keyForMs: null,
    ifExists: 'return',
    strictCancel: false,
    group: null,
    limits: [],
    inputSchema: null,
    schemaVersion: null,
    retryOn: null,
    parseInput: (input) => Promise.resolve(input),
    parseOutput: (output) => Promise.resolve(output),
  };
  return { [definitionBrand]: definition };
}

function newTask(n: number, name: string, queue: string): NewTask {
  return {
    id: `01K8Q2M4ZJ7F0C7YF4V7Z0B2H${n}`,
    name,
    queue,
    payload: '{"n":1}',
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: null,
    policy: '{}',
    keepMs: 60_000,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
    firedBy: null,
  };
}

let closed = 0;
const broker = createMemoryBroker({ now: systemClock.now, chance: systemChance });
// The record is the engine's concern, and that only runs where no server does.
const open = async (): Promise<Store> => ({
  broker,
  history: { sample: async () => true } as never,
  close: async () => {
    closed += 1;
  },
});
afterEach(() => {
  closed = 0;
});

test('it serves the queues of its tasks, tells what happened, and closes its store', async () => {
  const seen: unknown[] = [];
  const worker = await hostWorker(
    {
      tasks: {
        a: defined('a', 'one', async () => 'A'),
        b: defined('b', 'two', () => {
          throw new RangeError('no');
        }),
        c: 3,
      },
    },
    open,
  );
  worker.on('succeeded', ({ name }) => void seen.push(name));
  worker.on('retrying', ({ name, error }) => {
    seen.push(`${name} ${error?.message}`);
    void worker.stop();
  });
  await broker.enqueue([newTask(1, 'a', 'one')]);
  const running = worker.run();
  await broker.enqueue([newTask(2, 'b', 'two')]);
  await running;
  expect(seen.sort()).toEqual(['a', 'b no']);
  expect(closed).toBe(1);
});

test('it publishes the file of a task that says it, as others publish theirs', async () => {
  const tasks = [defined('a', 'one', null, import.meta.url), defined('b', 'one', null)];
  await using worker = await hostWorker({ tasks }, open);
  void worker.run();
  await waitFor(async () => expect(await broker.getWorkers()).toHaveLength(1));
  const [{ definitions = [] } = {}] = await broker.getWorkers();
  expect(definitions.map(({ file }) => file)).toEqual(['src/worker/hosted.test.ts', null]);
});

test('a signal stops it', async () => {
  const worker = await hostWorker({ tasks: defined('a', 'one', null), drain: '1s' }, open);
  const running = worker.run();
  process.emit('SIGTERM', 'SIGTERM');
  await running;
  expect(closed).toBe(1);
  expect(process.listenerCount('SIGTERM')).toBe(0);
});

const wrong: readonly (readonly [string, object, string])[] = [
  ['a misspelt option', { concurency: 3 }, 'INVALID_OPTION'],
  ['an option of a later version', { namespace: 'x' } as object, 'NOT_SUPPORTED'],
  ['a weight', { queues: { gpu: { concurrency: 1, weight: 4 } } }, 'NOT_SUPPORTED'],
  ['slots that are none', { queues: { gpu: 'many' } }, 'INVALID_OPTION'],
  ['a bad duration', { drain: '5 mins' }, 'INVALID_OPTION'],
  ['no queue at all', { queues: [] }, 'INVALID_OPTION'],
  [
    'two tasks with one name',
    { tasks: [defined('a', 'one', async () => 1), defined('a', 'one', async () => 2)] },
    'DUPLICATE_TASK_NAME',
  ],
];
for (const [what, change, code] of wrong) {
  test(`${what} is refused, and no store stays open`, async () => {
    let opened = 0;
    const counting = (): Promise<Store> => {
      opened += 1;
      return open();
    };
    await expect(hostWorker({ tasks: defined('a', 'one', async () => 1), ...change }, counting)).rejects.toMatchObject({
      code,
    });
    expect(closed).toBe(opened);
  });
}
