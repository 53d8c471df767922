/** One measurement of TaskFlow on one Postgres database, in a process of its own. Usage: node bench/postgres-own.ts URL TASKS PART */

import process from 'node:process';
import { z } from 'zod';
import { connect } from '../src/broker/connect.ts';
import { makeClient } from '../src/client/client.ts';
import { definitionBrand, type TaskDefinition } from '../src/core/definition.ts';
import { systemClock } from '../src/core/time.ts';
import { task } from '../src/index.ts';
import { createWorker } from '../src/worker/worker.ts';
import { benchClaim, benchTask, input, succeed } from './samples.ts';

/** Tasks per second. */
export type Rates = Readonly<Record<'client' | 'worker' | 'brokerEnqueue' | 'brokerSettle', number>>;

/** The batches and the lanes of the bare script. */
const enqueueBatch = 1_000;
const claimBatch = 500;
const lanes = 3;

const noop: TaskDefinition = task('noop', {
  input: z.object({ to: z.string(), n: z.number(), s: z.string() }),
  run: async () => ({ ok: true }),
})[definitionBrand];

const [url = '', count = '', part = ''] = process.argv.slice(2);
const tasks = Number(count);
const store = connect(url);
await store.broker.open();
const rates = part === 'broker' ? await measureBroker() : await measureWorker();
await store.close();
console.log(JSON.stringify(rates));

/** What a program does: `enqueueMany`, and a worker as `taskflow worker start` makes it. */
async function measureWorker(): Promise<Partial<Rates>> {
  const client = makeClient({ open: async () => store });
  const inputs = Array.from({ length: tasks / lanes }, () => input);
  const enqueued = await perSecond(() => inLanes(async () => void (await client.enqueueMany(noop, inputs))));
  const stored = inputs.length * lanes;
  const settled = await perSecond(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let succeeded = 0;
    const worker = createWorker({ store, definitions: [noop], concurrency: 100 });
    worker.on('succeeded', () => {
      succeeded += 1;
      if (succeeded === stored) resolve();
    });
    worker.start();
    await promise;
    await worker.stop();
  });
  return { client: enqueued, worker: settled };
}

/** The seam alone. */
async function measureBroker(): Promise<Partial<Rates>> {
  const { broker } = store;
  const batches = Array.from({ length: tasks / enqueueBatch }, () =>
    Array.from({ length: enqueueBatch }, () => benchTask()),
  );
  const brokerEnqueue = await perSecond(() =>
    inLanes(async () => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) await broker.enqueue(batch);
    }),
  );
  const brokerSettle = await perSecond(() =>
    inLanes(async () => {
      let claimed = await broker.claim(benchClaim(claimBatch));
      while (claimed.length > 0) claimed = (await broker.settle(claimed.map(succeed), benchClaim(claimBatch))).claimed;
    }),
  );
  return { brokerEnqueue, brokerSettle };
}

async function inLanes(work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: lanes }, work));
}

async function perSecond(work: () => Promise<void>): Promise<number> {
  const startedAt = systemClock.elapsed();
  await work();
  return (tasks / (systemClock.elapsed() - startedAt)) * 1_000;
}
