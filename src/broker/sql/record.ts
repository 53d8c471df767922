/** Reads what runs left beside a task: attempts, log lines, entries of the timeline. */

import type { Attempt, TimelineEntry } from '../../core/events.ts';
import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { LogLevel, LogLine, TaskError } from '../../core/task.ts';
import { type SqlTransaction, statement } from './driver.ts';

/** Inputs: task, limit. */
const attemptsOfTask = statement<
  [
    epoch: number,
    attempt: number,
    workerId: string | null,
    claimedAt: number,
    startedAt: number | null,
    endedAt: number,
    to: TaskState,
    reason: Reason | null,
    error: string | null,
  ]
>(
  'attempts_of_task',
  () => `SELECT epoch, attempt, worker_id, claimed_at, started_at, ended_at, state, reason, error FROM attempts
    WHERE task_id = $1 ORDER BY seq LIMIT $2`,
);

/** Oldest first, at most `limits.attemptsMax`. */
export async function readAttempts(tx: SqlTransaction, taskId: string): Promise<readonly Attempt[]> {
  const rows = await tx.query(attemptsOfTask, taskId, limits.attemptsMax);
  return rows.map(([epoch, attempt, workerId, claimedAt, startedAt, endedAt, to, reason, error]) => ({
    epoch,
    attempt,
    workerId,
    claimedAt,
    startedAt,
    endedAt,
    to,
    reason,
    error: error === null ? null : (JSON.parse(error) as TaskError),
  }));
}

/** Inputs: task, limit. The newest ones; their order is turned around after. */
const logsOfTask = statement<[epoch: number, at: number, level: LogLevel, message: string, fields: string | null]>(
  'logs_of_task',
  () => 'SELECT epoch, at, level, message, fields FROM logs WHERE task_id = $1 ORDER BY seq DESC LIMIT $2',
);

/** Oldest first: the newest `limits.logLinesMax` lines of all attempts. */
export async function readLogs(
  tx: SqlTransaction,
  taskId: string,
): Promise<readonly (LogLine & { readonly epoch: number })[]> {
  const rows = await tx.query(logsOfTask, taskId, limits.logLinesMax);
  return rows.map(([epoch, at, level, message, fields]) => ({ epoch, at, level, message, fields })).reverse();
}

/** Inputs: task, limit. */
const timelineOfTask = statement<[at: number, kind: string, text: string]>(
  'timeline_of_task',
  () => 'SELECT at, kind, text FROM timeline WHERE task_id = $1 ORDER BY seq LIMIT $2',
);

/** What people did to the task, oldest first. */
export async function readNotes(tx: SqlTransaction, taskId: string): Promise<readonly TimelineEntry[]> {
  const rows = await tx.query(timelineOfTask, taskId, limits.pageMax);
  return rows.map(([at, kind, text]) => ({ at, kind, text }));
}
