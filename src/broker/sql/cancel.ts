/** cancel: ends what waits, asks what runs; of a flow also what comes to it later. */

import { reachesQueue } from '../../core/access.ts';
import { limits } from '../../core/limits.ts';
import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { CancelRequest, CancelResult } from '../broker.ts';
import { checkBy } from './claims.ts';
import { eachStatement, statement } from './driver.ts';
import { endWaiting, type WaitingRow } from './end-waiting.ts';
import { holdFlow, readUnfinishedMembers, storeWish } from './flows.ts';
import { refuseLargeBatch } from './refuse.ts';
import { release } from './release.ts';
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
    FROM tasks WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

const isUnfinished = "(state = 'blocked' OR state = 'scheduled' OR state = 'queued' OR state = 'running')";

/** Input: list of ids. Where those are that have not ended. Locks: the rows, so that none is moved meanwhile. */
const queuesOfUnfinished = statement<[queue: string]>(
  'queues_of_unfinished',
  (dialect) =>
    `SELECT queue FROM tasks WHERE id ${dialect.oneOf('$1')} AND ${isUnfinished}${dialect.lockInOrderOf('id')}`,
);
/** Input: flow. The same of its tasks: with an OR between the two Postgres would look at every task there is. */
const queuesOfFlow = statement<[queue: string]>(
  'queues_of_flow',
  (dialect) => `SELECT queue FROM tasks WHERE id ${dialect.oneFrom('SELECT task_id FROM members WHERE flow_id = $1')}
    AND ${isUnfinished}${dialect.lockInOrderOf('id')}`,
);

const requestCancel = eachStatement(
  'request_cancel',
  { now: 'bigint', reason: 'text', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET cancel_requested_at = ${value.now}, cancel_reason = ${value.reason}, version = version + 1 ${from} WHERE id ${dialect.keyed(value.id)}`,
);

export async function cancel(step: Step, request: CancelRequest): Promise<readonly CancelResult[]> {
  refuseLargeBatch(request.taskIds);
  const taskIds = [...request.taskIds];
  if (!(await reachesAll(step, request))) return taskIds.map(() => ({ outcome: 'forbidden' }));
  if (request.flowId != null) {
    await storeWish(step, request.flowId, request.reason);
    const named = new Set(taskIds);
    const members = await readUnfinishedMembers(step, request.flowId);
    taskIds.push(...members.filter((taskId) => !named.has(taskId)));
  }
  const rows = await step.tx.query(cancelledTasks, idList(taskIds));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, keepMs, key, token, cancelRequestedAt]) => [
      id,
      { id, queue, name, state, reason, attempt, version, keepMs, key, token, cancelRequestedAt },
    ]),
  );
  type Row = typeof known extends Map<string, infer Value> ? Value : never;
  const waiting: WaitingRow[] = [];
  const running: Row[] = [];
  const results = taskIds.map((taskId): CancelResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (isFinished(row.state)) return { outcome: 'already', state: row.state };
    const isRunning = row.state === 'running';
    if (isRunning && row.cancelRequestedAt !== null) return { outcome: 'requested' };
    if (!isRunning) {
      waiting.push({ ...row, cancelReason: request.reason });
      known.set(taskId, { ...row, state: 'cancelled' });
      return { outcome: 'cancelled' };
    }
    const after = { ...row, cancelRequestedAt: step.now };
    record(step, 'cancelRequest', row, row, after, row.version + 1);
    running.push(row);
    step.cancels.push(taskId);
    known.set(taskId, after);
    return { outcome: 'requested' };
  });
  await endWaiting(step, 'cancel', waiting);
  await step.tx.each(
    requestCancel,
    running.map(({ id }) => [step.now, request.reason, id]),
  );
  const checkAt = step.now + limits.graceMs;
  await checkBy(step, new Map(running.flatMap(({ token }) => (token === null ? [] : [[token, checkAt]]))));
  await release(step);
  return results;
}

async function reachesAll(step: Step, { taskIds, flowId = null, reach }: CancelRequest): Promise<boolean> {
  if (reach === undefined) return true;
  // Nothing comes to the flow between the look and the wish.
  if (flowId !== null) await holdFlow(step, flowId);
  const queues = [
    ...(await step.tx.query(queuesOfUnfinished, idList(taskIds))),
    ...(flowId === null ? [] : await step.tx.query(queuesOfFlow, flowId)),
  ];
  return queues.every(([queue]) => reachesQueue(reach, queue));
}
