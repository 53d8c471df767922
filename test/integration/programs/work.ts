// A worker of one's own, until somebody stops it.

import process from 'node:process';
import { createWorker } from '../../../src/index.ts';
import * as tasks from './tasks.ts';

const worker = await createWorker({ tasks, drain: '5s' });
worker.on('succeeded', ({ id }) => process.stdout.write(`${id}\n`));
await worker.run();
console.log('stopped');
