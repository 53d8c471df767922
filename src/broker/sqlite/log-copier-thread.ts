/** The thread that copies the log into the file, when it is told to. Started by log-copier.ts with the name of the file. */

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/time.ts';
import { openConnection } from './connection.ts';
import type { CopyAnswer, CopyOrder } from './log-copier.ts';

const connection = openConnection(workerData as string, systemClock.now);

parentPort?.on('message', (order: CopyOrder) => {
  if (order === 'copy') parentPort?.postMessage(copy());
  else {
    parentPort?.close();
    connection.close();
  }
});

/** Waits for nobody: what a reader still needs, or another process copies just now, is left for the next time. */
function copy(): CopyAnswer {
  try {
    connection.pragma('wal_checkpoint(PASSIVE)');
    return 'copied';
  } catch {
    return 'failed';
  }
}
