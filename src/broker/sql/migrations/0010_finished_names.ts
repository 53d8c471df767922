/** On Postgres only finished tasks are in the index of names. */

import type { Dialect } from '../driver.ts';

export const name = '0010_finished_names';

/**
 * A claim moves a row, and with it its entries in all indexes. And an index that leads to every task is one the planner takes for the
 * ids too when it knows of few: it then reads all of it for each of them, until somebody counts the rows again.
 */
export function up(dialect: Dialect): readonly string[] {
  if (dialect.name === 'sqlite') return [];
  return ['DROP INDEX tasks_name', 'CREATE INDEX tasks_name ON tasks (name, id) WHERE finished_at IS NOT NULL'];
}
