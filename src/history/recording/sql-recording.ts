/** The record of a live store elsewhere, in the tables of a store of SQL: `SqlHistory` reads it as it reads its own. */

import { fold } from '../../broker/sql/counts.ts';
import { type SqlDriver, statement } from '../../broker/sql/driver.ts';
import { rollUpOld } from '../../broker/sql/rollups.ts';
import { idList, type TaskRow, taskColumns, toTask } from '../../broker/sql/rows.ts';
import { limits } from '../../core/limits.ts';
import { isFinished, taskStates } from '../../core/states.ts';
import type { Task } from '../../core/task.ts';
import type { Recording } from '../recording.ts';
import { readCursor, turn } from './cursor.ts';
import { readGaps } from './gaps.ts';
import { readLosses } from './losses.ts';
import { pruneRecord, removeRecorded } from './prune.ts';
import { recordBatch } from './record-batch.ts';
import { readSettings } from './settings.ts';
import { readUnrecorded } from './unrecorded.ts';

/** Batches between two folds of the counts: readers add up what is not folded. */
const foldEvery = 20;

/** Input: list of ids. */
const recordedBodies = statement<TaskRow>(
  'recorded_bodies',
  (dialect) => `SELECT ${taskColumns} FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);
/** Inputs: the last id seen, limit. Of each state the next by its index, and the first of all of them. */
const unfinishedIds = statement<[id: string]>('unfinished_ids', () => {
  const next = (state: string): string =>
    `SELECT id FROM (SELECT id FROM tasks WHERE state = '${state}' AND finished_at IS NULL AND id > $1 ORDER BY id LIMIT $2) AS ${state}`;
  const states = taskStates.filter((state) => !isFinished(state));
  return `SELECT id FROM (${states.map(next).join(' UNION ALL ')}) AS unfinished ORDER BY id LIMIT $2`;
});

/** The driver must be open, and migrated, before the first call. */
export function createSqlRecording(driver: SqlDriver): Recording {
  let batches = 0;
  const readBodies = async (taskIds: readonly string[]): Promise<readonly (Task | null)[]> => {
    const rows = await driver.readOne(recordedBodies, idList(taskIds));
    const found = new Map(rows.map((row): [string, Task] => [row[0], toTask(row)]));
    return taskIds.map((taskId) => found.get(taskId) ?? null);
  };
  return {
    cursor: () => readCursor(driver),
    record: async (batch) => {
      const isRecorded = await recordBatch(driver, batch);
      batches += 1;
      if (batches >= foldEvery) {
        batches = 0;
        await foldAll(driver);
      }
      return isRecorded;
    },
    follow: (from, to, gap) => turn(driver, from, to, gap),
    unfinished: async (after, limit) => {
      const ids = (await driver.readOne(unfinishedIds, after ?? '', Math.min(limit, limits.batchMax))).map(
        ([id]) => id,
      );
      return (await readBodies(ids)).filter((task) => task !== null);
    },
    tasks: readBodies,
    settings: (after, limit) => readSettings(driver, after, limit),
    remove: (taskIds) => removeRecorded(driver, taskIds),
    prune: async (limit) => {
      const pruned = await pruneRecord(driver, limit);
      await rollUpOld(driver);
      return pruned;
    },
    durability: driver.durability,
    gaps: (limit) => readGaps(driver, limit),
    unrecorded: (limit) => readUnrecorded(driver, limit),
    losses: (limit) => readLosses(driver, limit),
  };
}

/** The counts are right without it, so a failure waits for the next time. */
async function foldAll(driver: SqlDriver): Promise<void> {
  try {
    while (await driver.transaction(fold));
  } catch {}
}
