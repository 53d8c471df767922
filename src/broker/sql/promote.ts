/** promote: scheduled → queued for what is due. */

import { limits } from '../../core/limits.ts';
import type { Reason } from '../../core/states.ts';
import type { PromoteAnswer } from '../broker.ts';
import { type Dialect, type RowAddress, type SqlTransaction, statement } from './driver.ts';
import { record, type Step } from './step.ts';
import { joinRounds } from './turns.ts';

/** Inputs: now, limit. Those that another promoter has locked are left to it. Locks: the rows, by due time. */
const dueTasks = statement<
  [
    row: RowAddress,
    id: string,
    queue: string,
    name: string,
    reason: Reason | null,
    attempt: number,
    version: number,
    group: string | null,
  ]
>(
  'due_tasks',
  (
    dialect,
  ) => `SELECT ${dialect.row}, id, queue, name, reason, attempt, version, grp FROM tasks WHERE state = 'scheduled' AND due_at <= $1
    ORDER BY due_at, id LIMIT $2${dialect.skipLocked}`,
);

/** When the first scheduled task is due: a query of one value, or none. */
export const firstDue = ({ least }: Dialect): string => least('due_at', "tasks WHERE state = 'scheduled'");

/** The time of the first task that is still to come, or was left behind by the limit. */
const nextDue = statement<[dueAt: number | null]>('next_due', (dialect) => `SELECT (${firstDue(dialect)})`);

/** When the first scheduled task is due, or `null`. */
export async function readNextDue(tx: SqlTransaction): Promise<number | null> {
  const [row] = await tx.query(nextDue);
  return row?.[0] ?? null;
}

/** Input: list of row numbers. */
const promoteTasks = statement(
  'promote_tasks',
  (dialect) =>
    `UPDATE tasks SET state = 'queued', reason = NULL, version = version + 1 WHERE ${dialect.row} ${dialect.oneOf('$1', 'row')}`,
);

export async function promote(step: Step, limit: number): Promise<PromoteAnswer> {
  const promoted = await promoteDue(step, Math.min(limit, limits.batchMax));
  const nextAt = await readNextDue(step.tx);
  return { promoted, nextInMs: nextAt === null ? null : Math.max(0, nextAt - step.now) };
}

async function promoteDue(step: Step, limit: number): Promise<number> {
  const due = await step.tx.query(dueTasks, step.now, limit);
  if (due.length === 0) return 0;
  await joinRounds(
    step,
    due.map(([, , queue, , , , , group]) => ({ queue, group })),
  );
  await step.tx.query(promoteTasks, JSON.stringify(due.map(([address]) => address)));
  for (const [, id, queue, name, reason, attempt, version] of due) {
    record(
      step,
      'promote',
      { id, queue, name },
      { state: 'scheduled', reason, attempt },
      { state: 'queued', reason: null, attempt },
      version + 1,
    );
  }
  return due.length;
}
