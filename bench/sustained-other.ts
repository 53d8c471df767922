/** The other processes of the sustained bench. Usage: node bench/sustained-other.ts server|worker REDIS RECORD, with a parent */

import process from 'node:process';
import { z } from 'zod';
import { connect } from '../src/broker/connect.ts';
import { definitionBrand } from '../src/core/definition.ts';
import { createEngine } from '../src/engine/engine.ts';
import { task } from '../src/index.ts';
import { createWorker } from '../src/worker/worker.ts';

const [role = '', redis = '', record = ''] = process.argv.slice(2);
const store = connect(redis, role === 'server' ? { store: record, namespace: 'bench' } : { namespace: 'bench' });
await store.broker.open();
const input = z.object({ to: z.string(), n: z.number(), s: z.string() });
const noop = task('noop', { input, run: async () => ({ ok: true }) });
const service =
  role === 'server'
    ? createEngine({ store, report: console.error })
    : createWorker({ store, definitions: [noop[definitionBrand]], concurrency: 100, services: 'never' });
service.start();
process.once('message', async () => {
  await service.stop();
  await store.close();
  process.disconnect();
});
process.send?.('ready');
