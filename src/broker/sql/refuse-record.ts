/** A database is a live store, or the record of one elsewhere: as both it would run again what the other runs. */

import { type TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { recorderRow } from './form-indexes.ts';

const giveAsRecord = 'Give the live store as the broker and this URL as its record: --broker redis://… --store <this>';

/** Throws RECORD_ELSEWHERE when the database is a record. */
export async function refuseRecord(driver: SqlDriver, hint = giveAsRecord): Promise<void> {
  if ((await driver.readOne(recorderRow)).length === 0) return;
  throw recordRefusal(hint);
}

export function recordRefusal(hint = giveAsRecord): TaskFlowError {
  return taskFlowError(
    'RECORD_ELSEWHERE',
    { problem: 'this database is the record of one, and none itself' },
    { hint },
  );
}

/** One look into each index of those that wait. */
const ownTasks = statement<[id: string]>(
  'own_tasks',
  () => `SELECT task_id FROM (
      SELECT * FROM (SELECT id AS task_id FROM tasks WHERE state = 'queued' AND grp IS NULL LIMIT 1) AS plain
      UNION ALL SELECT * FROM (SELECT id FROM tasks WHERE state = 'queued' AND grp IS NOT NULL LIMIT 1) AS grouped
      UNION ALL SELECT * FROM (SELECT id FROM tasks WHERE state = 'scheduled' LIMIT 1) AS later
      UNION ALL SELECT * FROM (SELECT id FROM tasks WHERE state = 'blocked' LIMIT 1) AS blocked
    ) AS waiting LIMIT 1`,
);

/** Throws RECORD_ELSEWHERE when tasks wait here. */
export async function refuseLive(tx: SqlTransaction): Promise<void> {
  const [row] = await tx.query(ownTasks);
  if (row === undefined) return;
  throw taskFlowError(
    'RECORD_ELSEWHERE',
    { problem: `its database is a live store itself, in which ${row[0]} waits` },
    {
      hint: 'Record in a database or namespace of its own; what waits here can be worked off with this one as the broker.',
    },
  );
}
