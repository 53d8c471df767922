/** On Postgres lists of ids are stored as they are. */

import type { Dialect } from '../driver.ts';

export const name = '0013_plain_lists';

/** Packing the ids of a large claim took the server a tenth of its time; they are read again once or never, and soon forgotten. */
export function up(dialect: Dialect): readonly string[] {
  if (dialect.name === 'sqlite') return [];
  return [
    'ALTER TABLE claims ALTER task_ids SET STORAGE EXTERNAL',
    'ALTER TABLE events ALTER items SET STORAGE EXTERNAL',
  ];
}
