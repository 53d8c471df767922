/** How far a live store has been moved into its record, stored beside what was moved: one row, which a record in use has not. */

import { taskFlowError } from '../../core/errors.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { stayRecord } from './record-form.ts';

/** `after` is the last of its part. It is worth nothing for another state of the live store than `seq` of this life. */
export interface Place {
  readonly incarnation: string;
  readonly seq: number;
  readonly part: 'tasks' | 'keys';
  readonly after: string;
}

const placeRow = statement<[value: string]>('record_place', () => "SELECT value FROM meta WHERE name = 'move.home'");
const insertPlace = statement('begin_place', () => "INSERT INTO meta (name, value) VALUES ('move.home', $1)");
/** Inputs: what it has to be, what it becomes. */
const updatePlace = statement('move_place', () => "UPDATE meta SET value = $2 WHERE name = 'move.home' AND value = $1");
const deletePlace = statement('end_place', () => "DELETE FROM meta WHERE name = 'move.home'");

export async function readPlace(tx: Pick<SqlTransaction, 'query'>): Promise<Place | null> {
  const [row] = await tx.query(placeRow);
  return row === undefined ? null : (JSON.parse(row[0]) as Place);
}

/** Throws STORE_IN_USE when it is not where it was: somebody uses the record, or moves into it as well. */
export async function movePlace(tx: SqlTransaction, from: Place | null, to: Place): Promise<void> {
  if (from === null) await tx.query(insertPlace, JSON.stringify(to));
  else if ((await tx.change(updatePlace, JSON.stringify(from), JSON.stringify(to))) !== 1)
    throw taskFlowError('STORE_IN_USE', { workers: 'another move, or a server, has begun to use the record' });
}

/** Whoever opens a record wants it as one: a move out of its live store that did not come to its end is given up. */
export async function giveUpMove(driver: SqlDriver): Promise<void> {
  if ((await driver.readOne(placeRow)).length === 0) return;
  await driver.transaction(async (tx) => {
    if ((await tx.change(deletePlace)) === 1) await stayRecord(driver, tx);
  });
}
