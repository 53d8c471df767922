/** remove and the erasing of tasks: a finished task goes with all it left. */

import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { RemoveResult } from '../broker.ts';
import { statement } from './driver.ts';
import { eraseEdges } from './edges.ts';
import { eraseMembers } from './flows.ts';
import { freeKeys } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { decodeOptions, idList } from './rows.ts';
import { record, type Step } from './step.ts';

/** Input: list of ids. Locks: the rows. */
const removedTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    key: string | null,
    options: string | null,
  ]
>(
  'removed_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, key, options FROM tasks
    WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

const eraseTasks = statement('erase_tasks', (dialect) => `DELETE FROM tasks WHERE id ${dialect.oneOf('$1')}`);
const eraseAttempts = statement(
  'erase_attempts',
  (dialect) => `DELETE FROM attempts WHERE task_id ${dialect.oneOf('$1')}`,
);
const eraseLogs = statement('erase_logs', (dialect) => `DELETE FROM logs WHERE task_id ${dialect.oneOf('$1')}`);
const eraseTimeline = statement(
  'erase_timeline',
  (dialect) => `DELETE FROM timeline WHERE task_id ${dialect.oneOf('$1')}`,
);

/** Deletes tasks with their attempts, logs, timeline and edges. */
export async function erase(
  step: Step,
  tasks: readonly { readonly id: string; readonly flowId: string | null }[],
): Promise<void> {
  if (tasks.length === 0) return;
  const taskIds = tasks.map(({ id }) => id);
  await eraseEdges(step, taskIds);
  await eraseMembers(step, tasks);
  const ids = idList(taskIds);
  for (const erasing of [eraseTasks, eraseAttempts, eraseLogs, eraseTimeline]) await step.tx.query(erasing, ids);
}

export async function remove(step: Step, taskIds: readonly string[]): Promise<readonly RemoveResult[]> {
  refuseLargeBatch(taskIds);
  const rows = await step.tx.query(removedTasks, idList(taskIds));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, key, options]) => [
      id,
      { id, queue, name, state, reason, attempt, version, key, flowId: decodeOptions(options).flowId },
    ]),
  );
  const removed: { readonly id: string; readonly key: string | null; readonly flowId: string | null }[] = [];
  const results = taskIds.map((taskId): RemoveResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (!isFinished(row.state)) return { outcome: 'already', state: row.state };
    record(step, 'remove', row, row, null, row.version + 1);
    removed.push(row);
    known.delete(taskId);
    return { outcome: 'removed' };
  });
  await freeKeys(step, removed);
  await erase(step, removed);
  return results;
}
