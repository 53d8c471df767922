/** Sums of the minutes, so that a day and a week are read in a few thousand rows. */

import type { Dialect } from '../driver.ts';

export const name = '0017_rollups';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  const narrow = dialect.name === 'sqlite' ? ' WITHOUT ROWID' : '';
  return [
    // span: milliseconds of a row. queue, name: '' is all of them. What belongs to which span is written in rollups.ts.
    `CREATE TABLE rollups (
      span bigint NOT NULL, at bigint NOT NULL, queue text NOT NULL, name text NOT NULL, succeeded bigint NOT NULL, failed bigint NOT NULL,
      cancelled bigint NOT NULL, retried bigint NOT NULL, wait_ms bigint NOT NULL, run_ms bigint NOT NULL, PRIMARY KEY (span, at, queue, name)
    )${narrow}`,
    ...(dialect.name === 'sqlite'
      ? []
      : [
          'ALTER TABLE rollups SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)',
        ]),
    // Thirty days of minutes may be millions: they are added up later, an hour at a time, from this mark down. Where there are none there is no mark.
    `INSERT INTO rollups (span, at, queue, name, succeeded, failed, cancelled, retried, wait_ms, run_ms)
      SELECT 0, last / 3600000 * 3600000 + 3600000, '', '', 0, 0, 0, 0, 0, 0 FROM (SELECT max(at) AS last FROM minutes) AS kept
      WHERE last IS NOT NULL`,
  ];
}
