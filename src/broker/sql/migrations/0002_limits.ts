/** Limits: their settings and tokens, and who holds a slot. Two small tables, empty where no task has a limit. */

import type { Dialect } from '../driver.ts';

export const name = '0002_limits';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // Whoever takes a slot or a token locks the row. tat: when all tokens are back, µs. missed: a claim found no slot.
    `CREATE TABLE limits (
      name text NOT NULL PRIMARY KEY,
      max bigint,
      rate_count bigint,
      rate_per_ms bigint,
      tat bigint NOT NULL,
      missed bigint NOT NULL,
      CONSTRAINT limits_rate CHECK ((rate_count IS NULL) = (rate_per_ms IS NULL))
    )${narrow}`,
    // Rows that tell nothing any more once their tokens are back and their slots are free.
    'CREATE INDEX limits_tat ON limits (tat) WHERE max IS NULL AND rate_count IS NULL',
    // One row for each running task and limit of it: they are counted, never added up.
    `CREATE TABLE slots (name text NOT NULL, task_id text NOT NULL, PRIMARY KEY (name, task_id))${narrow}`,
  ];
}
