/** Reads what runs left beside a task: attempts, log lines, entries of the timeline. */

import { readStoredError } from '../../core/damaged.ts';
import type { Attempt, TimelineEntry } from '../../core/events.ts';
import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { LogLevel, LogLine } from '../../core/task.ts';
import { type SqlTransaction, statement } from './driver.ts';

/** What its columns hold depends on its kind: see {@link remainsOfTask}. */
type RemainRow = readonly [
  kind: 'attempt' | 'log' | 'note',
  seq: number,
  one: string | null,
  two: string | null,
  three: string | null,
  four: string | null,
  at: number,
  a: number | null,
  b: number | null,
  c: number | null,
  d: number | null,
];

/** Inputs: task, most attempts, most log lines, most notes. The first attempts and notes, and the newest lines. */
const remainsOfTask = statement<RemainRow>(
  'remains_of_task',
  () => `SELECT 'attempt', seq, worker_id, state, reason, error, ended_at, epoch, attempt, claimed_at, started_at FROM
      (SELECT seq, worker_id, state, reason, error, ended_at, epoch, attempt, claimed_at, started_at FROM attempts
        WHERE task_id = $1 ORDER BY seq LIMIT $2) AS ended
    UNION ALL SELECT 'log', seq, level, message, fields, NULL, at, epoch, 0, 0, 0 FROM
      (SELECT seq, level, message, fields, at, epoch FROM logs WHERE task_id = $1 ORDER BY seq DESC LIMIT $3) AS lines
    UNION ALL SELECT 'note', seq, kind, text, NULL, NULL, at, 0, 0, 0, 0 FROM
      (SELECT seq, kind, text, at FROM timeline WHERE task_id = $1 ORDER BY seq LIMIT $4) AS notes`,
);

/** What is kept beside a task, each oldest first. */
export interface Remains {
  /** At most `limits.attemptsMax`. */
  readonly attempts: readonly Attempt[];
  /** The newest `limits.logLinesMax` of all attempts. */
  readonly logs: readonly (LogLine & { readonly epoch: number })[];
  /** What people did to it. */
  readonly notes: readonly TimelineEntry[];
}

export async function readRemains(tx: SqlTransaction, taskId: string): Promise<Remains> {
  const rows = await tx.query(remainsOfTask, taskId, limits.attemptsMax, limits.logLinesMax, limits.pageMax);
  const of = (kind: RemainRow[0]): readonly RemainRow[] =>
    rows.filter((row) => row[0] === kind).sort((left, right) => left[1] - right[1]);
  return {
    attempts: of('attempt').map(attemptOf),
    logs: of('log').map(([, , level, message, fields, , at, epoch]) => ({
      epoch: epoch ?? 0,
      at,
      level: level as LogLevel,
      message: message ?? '',
      fields,
    })),
    notes: of('note').map(([, , kind, text, , , at]) => ({ at, kind: kind ?? '', text: text ?? '' })),
  };
}

function attemptOf([
  ,
  ,
  workerId,
  to,
  reason,
  error,
  endedAt,
  epoch,
  attempt,
  claimedAt,
  startedAt,
]: RemainRow): Attempt {
  return {
    epoch: epoch ?? 0,
    attempt: attempt ?? 0,
    workerId,
    claimedAt: claimedAt ?? 0,
    startedAt,
    endedAt,
    to: to as TaskState,
    reason: reason as Reason | null,
    error: error === null ? null : readStoredError(error),
  };
}
