/** getTasks, getWorkers: what the store knows, nothing changed. */

import type { StoredStack } from '../../core/commands.ts';
import type { Definition, Presence, WorkerRecord } from '../../core/presence.ts';
import type { Task } from '../../core/task.ts';
import { decodeCommands } from './control.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList, type TaskRow, taskColumns, toTask } from './rows.ts';

/** Input: list of ids. */
const tasksById = statement<TaskRow>(
  'tasks_by_id',
  (dialect) => `SELECT ${taskColumns} FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

export async function getTasks(tx: SqlTransaction, taskIds: readonly string[]): Promise<readonly (Task | null)[]> {
  refuseLargeBatch(taskIds);
  const rows = await tx.query(tasksById, idList(taskIds));
  const known = new Map(rows.map((row) => [row[0], toTask(row)]));
  return taskIds.map((taskId) => known.get(taskId) ?? null);
}

const allWorkers = statement<
  [
    presence: string,
    definitions: string,
    startedAt: number,
    beatAt: number,
    commands: string | null,
    stack: string | null,
  ]
>(
  'all_workers',
  () => 'SELECT presence, definitions, started_at, beat_at, commands, stack FROM workers ORDER BY worker_id',
);

/** By id. */
export async function getWorkers(query: SqlTransaction['query']): Promise<readonly WorkerRecord[]> {
  const rows = await query(allWorkers);
  return rows.map(([presence, definitions, startedAt, beatAt, commands, stack]) => ({
    ...(JSON.parse(presence) as Omit<Presence, 'definitions'>),
    definitions: JSON.parse(definitions) as readonly Definition[],
    startedAt,
    beatAt,
    commands: decodeCommands(commands),
    stack: stack === null ? null : (JSON.parse(stack) as StoredStack),
  }));
}
