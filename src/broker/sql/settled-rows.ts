/** What a settlement needs to know of its task. */

import type { Reason, TaskState } from '../../core/states.ts';
import type { Settlement } from '../../core/task.ts';
import { type RowAddress, statement } from './driver.ts';
import { recall } from './remembered.ts';
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
    row: RowAddress,
  ]
>(
  'settled_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, epoch, token, settled_token, judge_token,
    due_at, claimed_at, started_at, start_by, expires_at, cancel_requested_at, worker_id, keep_ms, key, options, ${dialect.row}
    FROM tasks WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

/** A task as a settlement finds it: in the store, or as an earlier one of the same batch left it. */
export interface SettledRow {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  state: TaskState;
  reason: Reason | null;
  attempt: number;
  version: number;
  readonly epoch: number;
  token: string | null;
  settledToken: string | null;
  judgeToken: string | null;
  readonly dueAt: number;
  readonly claimedAt: number | null;
  startedAt: number | null;
  readonly startBy: number | null;
  readonly expiresAt: number | null;
  readonly cancelRequestedAt: number | null;
  readonly workerId: string | null;
  readonly keepMs: number;
  readonly key: string | null;
  readonly options: string | null;
  /** In SQLite writing by it saves the look-up in the index of ids. */
  readonly address: RowAddress;
  /** Whether it was not read, but is what this process wrote when it claimed the task. */
  readonly isRemembered: boolean;
}

/** The tasks of the settlements by id, those that are there. */
export async function readSettledRows(
  step: Step,
  settlements: readonly Settlement[],
): Promise<Map<string, SettledRow>> {
  const { rows, unknown } = recallAll(step, settlements);
  const found = unknown.length === 0 ? [] : await step.tx.query(settledTasks, idList(unknown));
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
    address,
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
      address,
      isRemembered: false,
    });
  }
  return rows;
}

function recallAll(step: Step, settlements: readonly Settlement[]) {
  const rows = new Map<string, SettledRow>();
  const unknown: string[] = [];
  for (const settlement of settlements) {
    const row = recall(step, settlement);
    if (row === null) unknown.push(settlement.lease.taskId);
    else rows.set(row.id, row);
  }
  return { rows, unknown };
}
