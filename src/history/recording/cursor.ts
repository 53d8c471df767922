/** How far a record has got, in one row. Whoever changes the record holds it, so that one does at a time. */

import { type SqlDriver, type SqlTransaction, statement } from '../../broker/sql/driver.ts';
import { takeForm } from '../../broker/sql/form-indexes.ts';
import { refuseLive } from '../../broker/sql/refuse-record.ts';
import { markOf } from '../../core/events.ts';
import type { Gap, RecordBatch, RecordCursor, RecordPlace } from '../recording.ts';
import { noteGap } from './gaps.ts';

const cursorRow = statement<[incarnation: string, seq: number, eventAt: number | null, event: string | null]>(
  'record_cursor',
  () => 'SELECT incarnation, seq, event_at, event FROM recorder WHERE id = 1',
);

export async function readCursor(driver: SqlDriver): Promise<RecordCursor> {
  const [row] = await driver.readOne(cursorRow);
  if (row === undefined) return { incarnation: null, seq: 0, last: null };
  const [incarnation, seq, at, mark] = row;
  return { incarnation, seq, last: at === null || mark === null ? null : { at, mark } };
}

/** Inputs: life, number it has to be at, number it goes to, time and mark of the event there or nothing. Locks: the row. */
const advanceCursor = statement(
  'advance_cursor',
  () =>
    `UPDATE recorder SET seq = $3, event_at = coalesce($4, event_at), event = coalesce($5, event)
    WHERE id = 1 AND incarnation = $1 AND seq = $2`,
);

/** `false` when it is not where the batch begins. */
export async function advance(
  tx: SqlTransaction,
  { incarnation, after, upTo, events }: Omit<RecordBatch, 'bodies'>,
): Promise<boolean> {
  const last = events.at(-1);
  const event = last === undefined ? [null, null] : [last.at, markOf(last)];
  return (await tx.change(advanceCursor, incarnation, after, upTo, ...event)) === 1;
}

/** Inputs: life, number. Locks: the row. */
const firstCursor = statement(
  'first_cursor',
  () => 'INSERT INTO recorder (id, incarnation, seq) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING',
);
/** Inputs: life and number it has to be at, those it goes to. Locks: the row. */
const turnCursor = statement(
  'turn_cursor',
  () =>
    `UPDATE recorder SET incarnation = $3, seq = $4, event_at = NULL, event = NULL
    WHERE id = 1 AND incarnation = $1 AND seq = $2`,
);

/** `false` when the cursor is not at `from`. `to` follows a life. Throws RECORD_ELSEWHERE where tasks live in this database. */
export async function turn(driver: SqlDriver, from: RecordPlace, to: RecordPlace, gap: Gap | null): Promise<boolean> {
  const { incarnation: former } = from;
  const { incarnation: next } = to;
  if (next === null) throw new Error('Invariant broken: a record goes on to a life of its live store');
  return await driver.transaction(async (tx) => {
    if (former === null) {
      if ((await tx.change(firstCursor, next, to.seq)) !== 1) return false;
      await refuseLive(tx);
      await takeForm(driver, tx, 'record');
      return true;
    }
    if ((await tx.change(turnCursor, former, from.seq, next, to.seq)) !== 1) return false;
    if (gap !== null) await noteGap(tx, gap);
    return true;
  });
}

const heldCursor = statement('held_cursor', (dialect) => `SELECT seq FROM recorder WHERE id = 1${dialect.lock}`);

/** Keeps every other change of the record out until the transaction ends. */
export async function holdCursor(tx: SqlTransaction): Promise<void> {
  await tx.lock(heldCursor);
}
