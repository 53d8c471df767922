/** What a run leaves beside the task: an attempt row unless it simply succeeded, its log lines, entries of the timeline. */

import type { Attempt } from '../../core/events.ts';
import type { Task } from '../../core/task.ts';
import { eachStatement, type SqlRow } from './driver.ts';
import type { Step } from './step.ts';

export interface EndedRun extends Omit<Attempt, 'endedAt' | 'error'> {
  readonly taskId: string;
  /** JSON text. */
  readonly error: string | null;
}

export const insertAttempts = eachStatement(
  'insert_attempts',
  {
    taskId: 'text',
    epoch: 'bigint',
    attempt: 'bigint',
    workerId: 'text',
    claimedAt: 'bigint',
    startedAt: 'bigint',
    endedAt: 'bigint',
    state: 'text',
    reason: 'text',
    error: 'text',
  },
  (
    value,
    from,
  ) => `INSERT INTO attempts (task_id, epoch, attempt, worker_id, claimed_at, started_at, ended_at, state, reason, error)
    SELECT ${value.taskId}, ${value.epoch}, ${value.attempt}, ${value.workerId}, ${value.claimedAt}, ${value.startedAt}, ${value.endedAt},
      ${value.state}, ${value.reason}, ${value.error} ${from}`,
);

export function storeAttempts(step: Step, runs: readonly EndedRun[]): void {
  step.tx.sendEach(
    insertAttempts,
    runs.map((run) => [
      run.taskId,
      run.epoch,
      run.attempt,
      run.workerId,
      run.claimedAt,
      run.startedAt,
      step.now,
      run.to,
      run.reason,
      run.error,
    ]),
  );
}

export const insertLogs = eachStatement(
  'insert_logs',
  { taskId: 'text', epoch: 'bigint', at: 'bigint', level: 'text', message: 'text', fields: 'text' },
  (value, from) => `INSERT INTO logs (task_id, epoch, at, level, message, fields)
    SELECT ${value.taskId}, ${value.epoch}, ${value.at}, ${value.level}, ${value.message}, ${value.fields} ${from}`,
);

/** Rows: task, epoch, time, level, message, fields. */
export function storeLogs(step: Step, rows: readonly SqlRow[]): void {
  step.tx.sendEach(insertLogs, rows);
}

export const insertTimeline = eachStatement(
  'insert_timeline',
  { taskId: 'text', at: 'bigint', kind: 'text', text: 'text' },
  (value, from) =>
    `INSERT INTO timeline (task_id, at, kind, text) SELECT ${value.taskId}, ${value.at}, ${value.kind}, ${value.text} ${from}`,
);

export interface TimelineNote {
  readonly task: Pick<Task, 'id'>;
  readonly kind: string;
  /** A sentence for people. */
  readonly text: string;
}

export async function storeTimeline(step: Step, notes: readonly TimelineNote[]): Promise<void> {
  if (notes.length > 0)
    await step.tx.each(
      insertTimeline,
      notes.map(({ task, kind, text }) => [task.id, step.now, kind, text]),
    );
}
