/** A worker in a process of its own over one SQLite file, to be killed. Usage: node worker-child.ts FILE LOG CONCURRENCY */

import { appendFileSync, existsSync } from 'node:fs';
import process from 'node:process';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import type { Context } from '../../src/core/definition.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker } from '../../src/worker/worker.ts';
import { createDefinition } from './worker-rig.ts';

const [file = '', log = '', concurrency = '10'] = process.argv.slice(2);
const broker = createSqliteBroker({ file });
await broker.open();
const store = { broker, history: { sample: async () => true }, close: () => broker.close() } as unknown as Store;

interface SlowInput {
  readonly ms: number;
  /** A file it waits for. */
  readonly gate?: string;
}

/** Says when it begins and when it ends, in a file that outlives the process. */
const slow = createDefinition('slow', async (input: unknown, context: Context) => {
  appendFileSync(log, `begin ${context.id} ${context.fencingToken}\n`);
  const { ms, gate } = input as SlowInput;
  while (gate !== undefined && !existsSync(gate)) await sleep(systemClock, 5, context.signal);
  await sleep(systemClock, ms, context.signal);
  appendFileSync(log, `end ${context.id} ${context.fencingToken}\n`);
  return { by: process.pid };
});

const worker = createWorker({ store, definitions: [slow], concurrency: Number(concurrency), drainMs: 2_000 });
worker.on('trouble', ({ service, error }) => console.error(service, error));
process.once('SIGTERM', async () => {
  await worker.stop();
  await store.close();
  process.exit(0);
});
worker.start();
console.log('ready');
