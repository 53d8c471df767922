/** What a settlement needs to know of its task. */

import type { Reason, TaskState } from '../../core/states.ts';
import type { Settlement } from '../../core/task.ts';
import { statement } from './driver.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** Input: list of ids. What a settlement needs of a task: no payload. Locks: the rows. */
const settledTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    epoch: number,
    token: string | null,
    settledToken: string | null,
    judgeToken: string | null,
    dueAt: number,
    claimedAt: number | null,
    startedAt: number | null,
    startBy: number | null,
    expiresAt: number | null,
    cancelRequestedAt: number | null,
    workerId: string | null,
    keepMs: number,
    key: string | null,
    options: string | null,
    seq: number,
  ]
>(
  'settled_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, epoch, token, settled_token, judge_token,
    due_at, claimed_at, started_at, start_by, expires_at, cancel_requested_at, worker_id, keep_ms, key, options, seq
    FROM tasks WHERE id IN ${dialect.list('$1')}${dialect.lock}`,
);

/** A task as a settlement finds it. */
export interface SettledRow {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly epoch: number;
  readonly token: string | null;
  readonly settledToken: string | null;
  readonly judgeToken: string | null;
  readonly dueAt: number;
  readonly claimedAt: number | null;
  readonly startedAt: number | null;
  readonly startBy: number | null;
  readonly expiresAt: number | null;
  readonly cancelRequestedAt: number | null;
  readonly workerId: string | null;
  readonly keepMs: number;
  readonly key: string | null;
  readonly options: string | null;
  /** The row's own number: writing by it saves the look-up in the index of ids. */
  readonly seq: number;
}

/** The tasks of the settlements by id, those that are there. */
export async function readSettledRows(
  step: Step,
  settlements: readonly Settlement[],
): Promise<Map<string, SettledRow>> {
  const found = await step.tx.query(settledTasks, idList(settlements.map(({ lease }) => lease.taskId)));
  const rows = new Map<string, SettledRow>();
  for (const [
    id,
    queue,
    name,
    state,
    reason,
    attempt,
    version,
    epoch,
    token,
    settledToken,
    judgeToken,
    dueAt,
    claimedAt,
    startedAt,
    startBy,
    expiresAt,
    cancelRequestedAt,
    workerId,
    keepMs,
    key,
    options,
    seq,
  ] of found) {
    rows.set(id, {
      id,
      queue,
      name,
      state,
      reason,
      attempt,
      version,
      epoch,
      token,
      settledToken,
      judgeToken,
      dueAt,
      claimedAt,
      startedAt,
      startBy,
      expiresAt,
      cancelRequestedAt,
      workerId,
      keepMs,
      key,
      options,
      seq,
    });
  }
  return rows;
}
