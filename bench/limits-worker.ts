/** Claim → run → settle by a worker of 100 slots, plain or with key, group and limit, in a process of its own. Usage: node bench/limits-worker.ts FILE TASKS KIND */

import process from 'node:process';
import { z } from 'zod';
import { createSqliteStore } from '../src/broker/connect.ts';
import { definitionBrand } from '../src/core/definition.ts';
import type { NewTask } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';
import { task } from '../src/index.ts';
import { createWorker } from '../src/worker/worker.ts';
import { benchTask } from './samples.ts';

const enqueueBatch = 500;
const noop = task('noop', {
  input: z.object({ to: z.string(), n: z.number(), s: z.string() }),
  run: async () => ({ ok: true }),
});

const [file = '', count = '', kind = ''] = process.argv.slice(2);
const tasks = Number(count);
const given = (at: number): Partial<NewTask> =>
  kind === 'plain' ? {} : { key: `k${at}`, group: `g${at % 100}`, limits: [{ name: 'all', max: 1_000, rate: null }] };
const store = createSqliteStore({ file });
await store.broker.open();
for (let at = 0; at < tasks; at += enqueueBatch) {
  const batch = Math.min(enqueueBatch, tasks - at);
  await store.broker.enqueue(Array.from({ length: batch }, (_, index) => benchTask(given(at + index))));
}

const startedAt = systemClock.elapsed();
const before = process.cpuUsage();
const { promise, resolve } = Promise.withResolvers<void>();
const worker = createWorker({ store, definitions: [noop[definitionBrand]], concurrency: 100 });
let succeeded = 0;
worker.on('succeeded', () => {
  succeeded += 1;
  if (succeeded === tasks) resolve();
});
worker.start();
await promise;
const perSecond = (tasks / (systemClock.elapsed() - startedAt)) * 1_000;
const { user, system } = process.cpuUsage(before);
await worker.stop();
await store.close();
console.log(JSON.stringify({ perSecond, cpuUs: (user + system) / tasks }));
