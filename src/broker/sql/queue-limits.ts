/** Limits of whole queues: a rule that every task of the queue carries, as long as the queue has one. */

import { type LimitSettings, queueLimitName } from '../../core/limit-rules.ts';
import { readClaimedTaskIds } from './claims.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { configureLimit, readLimitSettings } from './limits.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** From an index of these queues alone: where there is none, that is all it costs. */
const limitedQueues = statement<[name: string]>('limited_queues', () => 'SELECT name FROM queues WHERE limited = 1');

export async function readLimitedQueues({ tx }: { readonly tx: SqlTransaction }): Promise<ReadonlySet<string>> {
  return new Set((await tx.query(limitedQueues)).map(([name]) => name));
}

/** Inputs: name, whether it is limited. Locks: the row. */
const setLimited = statement('set_limited', () => 'UPDATE queues SET limited = $2 WHERE name = $1');

/** Inputs: name of the limit, queue, list of ids. Those that run take a slot. */
const takeRunning = statement(
  'take_running_slots',
  (dialect) => `INSERT INTO slots (name, task_id) SELECT $1, id FROM tasks
    WHERE queue = $2 AND state = 'running' AND id ${dialect.oneOf('$3')} ON CONFLICT (name, task_id) DO NOTHING`,
);

/** Input: name of the limit. */
const leaveAll = statement('leave_all_slots', () => 'DELETE FROM slots WHERE name = $1');

/** Sets what the queue allows. Who runs holds a slot from then on, whether there is room or not. The queue must be known. */
export async function configureQueueLimit(step: Step, queue: string, settings: Partial<LimitSettings>): Promise<void> {
  const { tx } = step;
  const name = queueLimitName(queue);
  await configureLimit(step, name, settings);
  const { max, rate } = await readLimitSettings(tx, name);
  const isLimited = max !== null || rate !== null;
  await tx.query(setLimited, queue, isLimited ? 1 : 0);
  if (!isLimited) await tx.query(leaveAll, name);
  // All of them, in one step: it is done once, when a person asks for it.
  else await tx.query(takeRunning, name, queue, idList(await readClaimedTaskIds(tx, Number.MAX_SAFE_INTEGER)));
}
