/** A worker that knows every animal, in a process of its own. Usage: node worker.ts FILE [GRACE] */

import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker } from '../../src/worker/worker.ts';
import definitions from './animals.ts';

const [file = '', grace = '300'] = process.argv.slice(2);
const broker = createSqliteBroker({ file });
await broker.open();
const store = { broker, history: { sample: async () => true }, close: () => broker.close() } as unknown as Store;
const path = fileURLToPath(new URL('tasks.cjs', import.meta.url));
const worker = createWorker({
  store,
  definitions,
  modules: Object.fromEntries(
    definitions.filter(({ isolate }) => isolate === 'process').map(({ name }) => [name, path]),
  ),
  childEnv: { ZOO_SECRET: 'told' },
  concurrency: 6,
  graceMs: Number(grace),
  drainMs: 500,
});
worker.on('stray', ({ name, error }) => console.log(`stray ${name} ${error?.message}`));
worker.on('stuck', ({ name }) => console.log(`stuck ${name}`));
worker.on('trouble', ({ service, error }) => console.error(service, error));
process.once('SIGTERM', async () => {
  await worker.stop();
  await store.close();
  console.log('stopped');
});
worker.start();
console.log('ready');
