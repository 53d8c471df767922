/** Which tasks make a flow, and which flows were cancelled. Tasks without a flow never come here. */

import { limits } from '../../core/limits.ts';
import { eachStatement, statement } from './driver.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** Inputs: flow, task. Locks: none beyond the new row. */
export const insertMembers = eachStatement(
  'insert_members',
  { flowId: 'text', taskId: 'text' },
  (value, from) =>
    `INSERT INTO members (flow_id, task_id) SELECT ${value.flowId}, ${value.taskId} ${from} WHERE true ON CONFLICT (flow_id, task_id) DO NOTHING`,
);

type Member = { readonly id: string; readonly flowId: string | null };

export async function storeMembers(step: Step, tasks: readonly Member[]): Promise<void> {
  const rows = tasks.flatMap(({ id, flowId }) => (flowId === null ? [] : [[flowId, id]]));
  if (rows.length > 0) await step.tx.each(insertMembers, rows);
}

/** Inputs: flow, limit. The unfinished tasks of a flow. */
const unfinishedMembers = statement<[taskId: string]>(
  'unfinished_members',
  (dialect) => `SELECT task_id FROM members JOIN tasks ON id ${dialect.keyed('task_id')} WHERE flow_id = $1
    AND (state = 'blocked' OR state = 'scheduled' OR state = 'queued' OR state = 'running') LIMIT $2`,
);

export async function readUnfinishedMembers(step: Step, flowId: string): Promise<readonly string[]> {
  const rows = await step.tx.query(unfinishedMembers, flowId, limits.flowCancelMax);
  return rows.map(([taskId]) => taskId);
}

/** That a flow was cancelled: it stays for the tasks that come to it later. */
export interface Wish {
  readonly reason: string | null;
}

/** Inputs: flow, now, reason. Locks: the row. */
const wishCancel = statement(
  'wish_cancel',
  () => `INSERT INTO flows (flow_id, cancelled_at, cancel_reason) VALUES ($1, $2, $3)
    ON CONFLICT (flow_id) DO UPDATE SET cancelled_at = excluded.cancelled_at, cancel_reason = excluded.cancel_reason`,
);

/** Whoever is adding tasks to the flow has stored them, or waits. */
export async function holdFlow(step: Step, flowId: string): Promise<void> {
  await step.tx.hold('flows', [flowId], 'alone');
}

export async function storeWish(step: Step, flowId: string, reason: string | null): Promise<void> {
  // Or sees the wish.
  await holdFlow(step, flowId);
  await step.tx.query(wishCancel, flowId, step.now, reason);
}

/** Input: list of flows. */
const wishesOfFlows = statement<[flowId: string, reason: string | null]>(
  'wishes_of_flows',
  (dialect) => `SELECT flow_id, cancel_reason FROM flows WHERE flow_id ${dialect.oneOf('$1')}`,
);

/** The flows of these tasks that were cancelled. */
export async function readWishes(
  step: Step,
  tasks: readonly { readonly flowId: string | null }[],
): Promise<ReadonlyMap<string, Wish>> {
  const flowIds = new Set(tasks.flatMap(({ flowId }) => flowId ?? []));
  if (flowIds.size === 0) return new Map();
  const rows = await step.tx.query(wishesOfFlows, idList([...flowIds]));
  return new Map(rows.map(([flowId, reason]) => [flowId, { reason }]));
}

/** Input: list of flows. */
const liftWish = statement('lift_wishes', (dialect) => `DELETE FROM flows WHERE flow_id ${dialect.oneOf('$1')}`);

/** Lets the tasks of these flows run again. */
export async function liftWishes(step: Step, flowIds: readonly string[]): Promise<void> {
  if (flowIds.length > 0) await step.tx.query(liftWish, idList(flowIds));
}

/** Input: list of ids, list of flows. */
const eraseFlowMembers = statement(
  'erase_members',
  (dialect) => `DELETE FROM members WHERE flow_id ${dialect.oneOf('$1')} AND task_id ${dialect.oneOf('$2')}`,
);

export async function eraseMembers(step: Step, tasks: readonly Member[]): Promise<void> {
  const flowIds = new Set(tasks.flatMap(({ flowId }) => flowId ?? []));
  if (flowIds.size === 0) return;
  await step.tx.query(eraseFlowMembers, idList([...flowIds]), idList(tasks.map(({ id }) => id)));
}

/** Input: time. Wishes for flows of which nothing is left. */
const pruneFlows = statement(
  'prune_flows',
  () =>
    'DELETE FROM flows WHERE cancelled_at <= $1 AND (SELECT 1 FROM members WHERE members.flow_id = flows.flow_id LIMIT 1) IS NULL',
);

export async function pruneWishes(step: Step): Promise<void> {
  await step.tx.query(pruneFlows, step.now - limits.eventsKeepMs);
}
