/** cancel: ends what waits, asks what runs. */

import { limits } from '../../core/limits.ts';
import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { CancelRequest, CancelResult } from '../broker.ts';
import { checkBy } from './claims.ts';
import { eachStatement, statement } from './driver.ts';
import { freeKeys } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList } from './rows.ts';
import { record, type Step } from './step.ts';

/** Input: list of ids. Locks: the rows. */
const cancelledTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    keepMs: number,
    key: string | null,
    token: string | null,
    cancelRequestedAt: number | null,
  ]
>(
  'cancelled_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, keep_ms, key, token, cancel_requested_at
    FROM tasks WHERE id IN ${dialect.list('$1')}${dialect.lock}`,
);

const cancelWaiting = eachStatement(
  'cancel_waiting',
  { now: 'bigint', pruneAt: 'bigint', reason: 'text', id: 'text' },
  (value, from) =>
    `UPDATE tasks SET state = 'cancelled', reason = 'user', version = version + 1, finished_at = ${value.now}, prune_at = ${value.pruneAt},
     cancel_reason = ${value.reason}, check_at = NULL, judge_token = NULL, judge_until = NULL ${from} WHERE id = ${value.id}`,
);

const requestCancel = eachStatement(
  'request_cancel',
  { now: 'bigint', reason: 'text', id: 'text' },
  (value, from) =>
    `UPDATE tasks SET cancel_requested_at = ${value.now}, cancel_reason = ${value.reason}, version = version + 1 ${from} WHERE id = ${value.id}`,
);

export async function cancel(step: Step, request: CancelRequest): Promise<readonly CancelResult[]> {
  refuseLargeBatch(request.taskIds);
  const rows = await step.tx.query(cancelledTasks, idList(request.taskIds));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, keepMs, key, token, cancelRequestedAt]) => [
      id,
      { id, queue, name, state, reason, attempt, version, keepMs, key, token, cancelRequestedAt },
    ]),
  );
  type Row = typeof known extends Map<string, infer Value> ? Value : never;
  const waiting: Row[] = [];
  const running: Row[] = [];
  const results = request.taskIds.map((taskId): CancelResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (isFinished(row.state)) return { outcome: 'already', state: row.state };
    const isRunning = row.state === 'running';
    if (isRunning && row.cancelRequestedAt !== null) return { outcome: 'requested' };
    const after = isRunning
      ? { ...row, cancelRequestedAt: step.now }
      : { ...row, state: 'cancelled' as const, reason: 'user' as const };
    record(step, isRunning ? 'cancelRequest' : 'cancel', row, row, after, row.version + 1);
    (isRunning ? running : waiting).push(row);
    if (isRunning) step.cancels.push(taskId);
    known.set(taskId, after);
    return { outcome: isRunning ? 'requested' : 'cancelled' };
  });
  await step.tx.each(
    cancelWaiting,
    waiting.map(({ id, keepMs }) => [step.now, step.now + keepMs, request.reason, id]),
  );
  await step.tx.each(
    requestCancel,
    running.map(({ id }) => [step.now, request.reason, id]),
  );
  await freeKeys(step, waiting);
  const checkAt = step.now + limits.graceMs;
  await checkBy(step, new Map(running.flatMap(({ token }) => (token === null ? [] : [[token, checkAt]]))));
  return results;
}
