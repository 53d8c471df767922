/** No-op tasks in processes of their own beside the same tasks in the worker, over one SQLite file each, in one run. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../src/broker/connect.ts';
import { systemChance } from '../src/core/chance.ts';
import type { TaskDefinition } from '../src/core/definition.ts';
import { createIds } from '../src/core/ids.ts';
import type { NewTask } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';
import { createWorker } from '../src/worker/worker.ts';
import { noop } from './isolate-task.ts';
import { inFolder, quantile } from './settings.ts';

const rounds = 5;
const here = 20_000;
const apart = 4_000;

/** Prints tasks per second of both, their ratio, and what one isolated run costs alone. */
export async function run(): Promise<void> {
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const inWorker = await measure('none', here, 10);
    const isolated = await measure('process', apart, 2);
    ratios.push(isolated / inWorker);
    console.log(
      `in the worker ${inWorker}/s, in two processes ${isolated}/s, ratio ${(isolated / inWorker).toFixed(3)}`,
    );
  }
  const alone = await measure('process', 1_000, 1);
  const [low, middle, high] = [0, 0.5, 1].map((share) => quantile(ratios, share).toFixed(3));
  console.log(
    `ratio ${middle} (${low}–${high}); one at a time ${(1_000 / alone).toFixed(2)} ms a task, with its settlement`,
  );
}

function measure(isolate: TaskDefinition['isolate'], count: number, concurrency: number): Promise<number> {
  return inFolder(async (folder) => {
    const store = connect(`sqlite:${join(folder, 'tasks.db')}`);
    await store.broker.open();
    const definition: TaskDefinition = { ...noop, isolate };
    const modules = { [noop.name]: fileURLToPath(new URL('isolate-task.ts', import.meta.url)) };
    const worker = createWorker({ store, definitions: [definition], modules, concurrency, services: 'never' });
    let left = count + concurrency;
    const { promise: isWarm, resolve: warm } = Promise.withResolvers<void>();
    const { promise: isDone, resolve: done } = Promise.withResolvers<void>();
    worker.on('succeeded', () => {
      left -= 1;
      if (left === count) warm();
      if (left === 0) done();
    });
    worker.start();
    // Starting the processes is measured by nobody: it happens once.
    await enqueue(store.broker, concurrency);
    await isWarm;
    const startedAt = performance.now();
    await enqueue(store.broker, count);
    await isDone;
    const tookMs = performance.now() - startedAt;
    await worker.stop();
    await store.close();
    return Math.round((count / tookMs) * 1_000);
  });
}

async function enqueue(broker: ReturnType<typeof connect>['broker'], count: number): Promise<void> {
  const ids = createIds(systemClock, systemChance);
  for (let from = 0; from < count; from += 1_000)
    await broker.enqueue(Array.from({ length: Math.min(1_000, count - from) }, () => newTask(ids.next())));
}

function newTask(id: string): NewTask {
  return {
    id,
    name: noop.name,
    queue: 'default',
    payload: '{"to":"a@b.c","n":1}',
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: 60_000,
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
