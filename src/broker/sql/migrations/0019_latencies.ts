/** How long tasks waited and ran in the minutes of the last hours, as counts by bounds: for histograms. */

import type { Dialect } from '../driver.ts';

export const name = '0019_latencies';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // kind: 'wait' or 'run'. bucket: see core/latency.ts.
    `CREATE TABLE latencies (
      at bigint NOT NULL, queue text NOT NULL, kind text NOT NULL, bucket bigint NOT NULL, tasks bigint NOT NULL,
      PRIMARY KEY (at, queue, kind, bucket)
    )${narrow}`,
    ...(dialect.name === 'sqlite'
      ? []
      : [
          'ALTER TABLE latencies SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)',
        ]),
  ];
}
