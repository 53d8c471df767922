/** Freezes a process as a machine that swaps or a debugger does. */

import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { Child } from './processes.ts';

/** Stops the process while it is not writing: frozen within a transaction it would hold the file's one lock, and all others with it. */
export async function freeze(child: Child, file: string): Promise<void> {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 500');
    for (;;) {
      child.send('SIGSTOP');
      try {
        database.exec('BEGIN IMMEDIATE; ROLLBACK');
        return;
      } catch {
        child.send('SIGCONT');
        await wait(5);
      }
    }
  } finally {
    database.close();
  }
}
