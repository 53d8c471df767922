/** Takes out of a record what is past its time, and what a person wants out of it. */

import { type SqlDriver, statement } from '../../broker/sql/driver.ts';
import { pruneKept, pruneTasks } from '../../broker/sql/prune.ts';
import { erase } from '../../broker/sql/remove.ts';
import { createStep, endStep, record } from '../../broker/sql/step.ts';
import { limits } from '../../core/limits.ts';
import { isFinished } from '../../core/states.ts';
import { holdCursor } from './cursor.ts';
import { readRecorded } from './rows.ts';

/** Input: time. */
const pruneUnrecorded = statement('prune_unrecorded', () => 'DELETE FROM unrecorded WHERE at <= $1');
const pruneGaps = statement('prune_gaps', () => 'DELETE FROM gaps WHERE to_at <= $1');

/** At most `limit` tasks; answers how many. */
export async function pruneRecord(driver: SqlDriver, limit: number): Promise<number> {
  return await driver.transaction(async (tx) => {
    await holdCursor(tx);
    const step = createStep(tx, await tx.wallMs());
    const pruned = await pruneTasks(step, limit);
    await pruneKept(step);
    await tx.query(pruneUnrecorded, step.now - limits.minutesKeepMs);
    await tx.query(pruneGaps, step.now - limits.minutesKeepMs);
    await endStep(step);
    return pruned;
  });
}

/** Answers for each whether it was there and finished. */
export async function removeRecorded(driver: SqlDriver, taskIds: readonly string[]): Promise<readonly boolean[]> {
  return await driver.transaction(async (tx) => {
    await holdCursor(tx);
    const recorded = await readRecorded(tx, taskIds);
    const removed = [...recorded.values()].filter(({ state }) => isFinished(state));
    const step = createStep(tx, await tx.wallMs());
    for (const row of removed) record(step, 'remove', row, row, null, row.version + 1);
    await erase(step, removed);
    await endStep(step);
    const ids = new Set(removed.map(({ id }) => id));
    return taskIds.map((taskId) => ids.delete(taskId));
  });
}
