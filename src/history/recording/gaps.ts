/** Times of which a record may lack tasks. */

import { type SqlDriver, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import type { Gap } from '../recording.ts';

/** Inputs: a gap. */
const insertGap = statement('insert_gap', () => 'INSERT INTO gaps (from_at, to_at, restored) VALUES ($1, $2, $3)');
/** Input: limit. */
const gapRows = statement<[from: number | null, to: number, restored: number]>(
  'gap_rows',
  () => 'SELECT from_at, to_at, restored FROM gaps ORDER BY seq DESC LIMIT $1',
);

export async function noteGap(tx: SqlTransaction, { from, to, restored }: Gap): Promise<void> {
  await tx.query(insertGap, from, to, restored);
}

export async function readGaps(driver: SqlDriver, limit: number): Promise<readonly Gap[]> {
  const rows = await driver.readOne(gapRows, limit);
  return rows.map(([from, to, restored]) => ({ from, to, restored }));
}
