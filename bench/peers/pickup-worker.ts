/** The other process of the pick-up: a worker that tells its parent when each task starts. Usage: SYSTEM URL */

import process from 'node:process';
import { monotonicMs } from '../stamp.ts';
import { loadSystem } from './load.ts';

const [name = '', url = ''] = process.argv.slice(2);
const system = await loadSystem(name);
await system.open(url);
await system.work(() => process.send?.(monotonicMs()));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
