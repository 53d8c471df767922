/** What a record knows beside tasks: the event it got to, and the settings and schedules of its live store. Empty everywhere else. */

import type { Dialect } from '../driver.ts';

export const name = '0011_recorded';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // NULL until an event is recorded. event: see markOf.
    'ALTER TABLE recorder ADD COLUMN event_at bigint',
    'ALTER TABLE recorder ADD COLUMN event text',
    // As they were read, in JSON: nobody searches them, and the tables of their own would make a live store of a record.
    `CREATE TABLE recorded (kind text NOT NULL, name text NOT NULL, document text NOT NULL, PRIMARY KEY (kind, name))${narrow}`,
  ];
}
