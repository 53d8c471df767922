/** The other process of the pick-up bench: a worker that tells its parent when each task starts. */

import process from 'node:process';
import { connect } from '../src/broker/connect.ts';
import { createWorker } from '../src/worker/worker.ts';
import { stampTask } from './stamp.ts';

const store = connect(process.argv[2] ?? '');
await store.broker.open();
const worker = createWorker({ store, definitions: [stampTask((at) => process.send?.(at))] });
worker.start();
process.once('message', async () => {
  await worker.stop();
  await store.close();
  process.disconnect();
});
process.send?.('ready');
