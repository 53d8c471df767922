/** The worker of the bench of workers over HTTP, in a process of its own: on the store or behind a server. Usage: node bench/http-worker-own.ts URL SLOTS */

import process from 'node:process';
import { connect } from '../src/broker/connect.ts';
import { createWorker } from '../src/worker/worker.ts';
import { stampTask } from './stamp.ts';

const [url = '', slots = ''] = process.argv.slice(2);
const store = connect(url);
await store.broker.open();
const stamps: number[] = [];
let wanted = 1;
const definition = stampTask((at) => {
  stamps.push(at);
  if (stamps.length < wanted) return;
  process.send?.(stamps.splice(0));
});
const worker = createWorker({ store, definitions: [definition], concurrency: Number(slots), services: 'never' });
// A number: so many starts are told together from now on.
process.on('message', async (message) => {
  if (typeof message === 'number') {
    wanted = message;
    worker.start();
    return;
  }
  await worker.stop();
  await store.close();
  process.disconnect();
});
process.send?.('ready');
