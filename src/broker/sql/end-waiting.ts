/** The end of tasks that wait: cancelled by a person, or as their flow was. */

import type { Reason, TaskState } from '../../core/states.ts';
import { eachStatement } from './driver.ts';
import { freeKeys } from './keys.ts';
import { record, type Step } from './step.ts';

/** Inputs: now, retention end, reason, task. */
const cancelWaiting = eachStatement(
  'cancel_waiting',
  { now: 'bigint', pruneAt: 'bigint', reason: 'text', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET state = 'cancelled', reason = 'user', version = version + 1, finished_at = ${value.now}, prune_at = ${value.pruneAt},
     cancel_reason = ${value.reason}, check_at = NULL, judge_token = NULL, judge_until = NULL ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** A waiting task, as far as its cancellation needs it. */
export interface WaitingRow {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly keepMs: number;
  readonly key: string | null;
  /** Words for people. */
  readonly cancelReason: string | null;
}

/** Ends waiting tasks as cancelled; their children are released by the step. */
export async function endWaiting(step: Step, kind: 'cancel' | 'unblock', rows: readonly WaitingRow[]): Promise<void> {
  if (rows.length === 0) return;
  for (const row of rows) {
    record(step, kind, row, row, { ...row, state: 'cancelled', reason: 'user' }, row.version + 1);
    step.ended.set(row.id, 'cancelled');
  }
  await step.tx.each(
    cancelWaiting,
    rows.map(({ id, keepMs, cancelReason }) => [step.now, step.now + keepMs, cancelReason, id]),
  );
  await freeKeys(step, rows);
}
