/** One measurement of TaskFlow on one SQLite file, in a process of its own. Usage: node bench/sqlite-own.ts FILE TASKS PART */

import process from 'node:process';
import { z } from 'zod';
import { createSqliteStore } from '../src/broker/connect.ts';
import { makeClient } from '../src/client/client.ts';
import { definitionBrand, type TaskDefinition } from '../src/core/definition.ts';
import type { NewTask } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { task } from '../src/index.ts';
import { createWorker } from '../src/worker/worker.ts';
import { benchClaim, benchTask, input, succeed } from './samples.ts';

/** Tasks per second. */
export type Rates = Readonly<
  Record<'client' | 'worker 10' | 'worker 100' | 'broker enqueue' | 'broker settle', number>
>;

/** The batches of the bare script. */
const enqueueBatch = 500;
const claimBatch = 100;
/** Inputs of one call of the client, which makes its own batches of them. */
const inputsPerCall = 10_000;

const noop = task('noop', {
  input: z.object({ to: z.string(), n: z.number(), s: z.string() }),
  run: async () => ({ ok: true }),
});

const [file = '', count = '', part = ''] = process.argv.slice(2);
const tasks = Number(count);
const store = createSqliteStore({ file });
await store.broker.open();
const rates = part === 'broker' ? await measureBroker(store) : await measureWorker(store, Number(part.split('-')[1]));
await store.close();
console.log(JSON.stringify(rates));

/** What a program does: `enqueueMany`, and a worker as `taskflow worker start` makes it. */
async function measureWorker(store: Store, concurrency: number): Promise<Partial<Rates>> {
  const definition: TaskDefinition = noop[definitionBrand];
  const client = makeClient({ open: async () => store });
  const inputs = Array.from({ length: inputsPerCall }, () => input);
  const enqueued = await perSecond(async () => {
    for (let left = tasks; left > 0; left -= inputsPerCall)
      await client.enqueueMany(definition, left < inputsPerCall ? inputs.slice(0, left) : inputs);
  });
  const settled = await perSecond(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let succeeded = 0;
    const worker = createWorker({ store, definitions: [definition], concurrency });
    worker.on('succeeded', () => {
      succeeded += 1;
      if (succeeded === tasks) resolve();
    });
    worker.start();
    await promise;
    await worker.stop();
  });
  return concurrency === 10 ? { client: enqueued, 'worker 10': settled } : { 'worker 100': settled };
}

/** The seam alone, with the batches of the bare script. */
async function measureBroker({ broker }: Store): Promise<Partial<Rates>> {
  const batches = makeBatches();
  const enqueued = await perSecond(async () => {
    for (const batch of batches) await broker.enqueue(batch);
  });
  const settled = await perSecond(async () => {
    let claimed = await broker.claim(benchClaim(claimBatch));
    while (claimed.length > 0) claimed = (await broker.settle(claimed.map(succeed), benchClaim(claimBatch))).claimed;
  });
  return { 'broker enqueue': enqueued, 'broker settle': settled };
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const startedAt = systemClock.elapsed();
  await work();
  return (tasks / (systemClock.elapsed() - startedAt)) * 1_000;
}

function makeBatches(): readonly (readonly NewTask[])[] {
  return Array.from({ length: Math.ceil(tasks / enqueueBatch) }, () =>
    Array.from({ length: enqueueBatch }, () => benchTask()),
  );
}
