/** The tasks of transactions that no broker takes are found without a look at those that wait. */

import type { Dialect } from '../driver.ts';

export const name = '0008_relay_aside';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const index = 'CREATE INDEX relay_aside ON relay (seq) WHERE problem IS NOT NULL';
  if (dialect.name === 'sqlite') return [index];
  // Every row goes soon after it came, and whoever looks for the oldest walks over what is left of them.
  return [index, 'ALTER TABLE relay SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)'];
}
