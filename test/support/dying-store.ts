/** A store for the guard's thread that ends the first thread which opens it, and is an ordinary one for the next. */

import { existsSync, writeFileSync } from 'node:fs';
import { createSqliteStore } from '../../src/broker/connect.ts';
import type { Store } from '../../src/history/history.ts';

/** There as soon as another thread has opened the store. */
export const livesFile = (file: string): string => `${file}.lives`;
const diedFile = (file: string): string => `${file}.died`;

/** `file` is a path; what became of threads is kept beside it. */
export function connect(file: string): Store {
  if (existsSync(diedFile(file))) {
    writeFileSync(livesFile(file), '');
    return createSqliteStore({ file });
  }
  writeFileSync(diedFile(file), '');
  setImmediate(() => {
    throw new Error('the thread dies');
  });
  return createSqliteStore({ file });
}
