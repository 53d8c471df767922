/**
 * A thread beside the handler of an isolated task, for the time when that computes without a pause: it ends the process
 * when its worker is gone or when it uses too much memory, and says how much it uses.
 */

import { writeSync } from 'node:fs';
import process from 'node:process';
import { workerData } from 'node:worker_threads';
import { limits } from '../core/limits.ts';
import { systemClock } from '../core/time.ts';
import type { Birth, Vitals } from './child-messages.ts';

/** `pipe` is the descriptor of the pipe to the worker. */
const { parentPid, rssMaxMb, pipe } = workerData as Birth & { readonly pipe: number };
const stderr = 2;
let toldMb = 0;

function look(): void {
  // A process whose parent died has another parent.
  if (process.ppid !== parentPid) endAll();
  const rssMb = Math.round(process.memoryUsage.rss() / 2 ** 20);
  if (Math.abs(rssMb - toldMb) > toldMb / 20) tell({ rssMb });
  if (rssMb > rssMaxMb) {
    tell({ rssMb });
    writeSync(stderr, `\nMemory: ${rssMb} MB are used, ${rssMaxMb} MB are allowed.\n`);
    endAll();
  }
  systemClock.schedule(limits.isolateLookMs, look);
}

function tell(vitals: Vitals): void {
  toldMb = vitals.rssMb;
  try {
    writeSync(pipe, `${JSON.stringify(vitals)}\n`);
  } catch {
    // The worker is gone, or slow to read: the next look tells again.
  }
}

/** The process is the first of its group: whatever its handler started goes with it. */
function endAll(): void {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

look();
