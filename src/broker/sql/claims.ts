/** The claims that still have running tasks: one small row a call instead of an index entry a task. */

import type { ClaimedTask } from '../../core/task.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import { runningCheckAt } from './rows.ts';
import type { Step } from './step.ts';

/** Inputs: token, worker, earliest check, number of tasks, their ids. A token whose tasks have all ended may be used again. */
const insertClaims = eachStatement(
  'insert_claims',
  { token: 'text', workerId: 'text', checkAt: 'bigint', running: 'bigint', taskIds: 'text' },
  (value, from) => `INSERT INTO claims (token, worker_id, check_at, running, task_ids)
    SELECT ${value.token}, ${value.workerId}, ${value.checkAt}, ${value.running}, ${value.taskIds} ${from}`,
);

export interface NewClaim {
  readonly token: string;
  readonly workerId: string;
  readonly checkAt: number;
  readonly taskIds: readonly string[];
}

export function storeClaims(step: Step, claims: readonly NewClaim[]): void {
  step.tx.sendEach(
    insertClaims,
    claims.map((claim) => [
      claim.token,
      claim.workerId,
      claim.checkAt,
      claim.taskIds.length,
      JSON.stringify(claim.taskIds),
    ]),
  );
}

/** The claim row of freshly claimed tasks. */
export function claimOf(token: string, workerId: string, claimed: readonly ClaimedTask[]): NewClaim {
  let checkAt = Number.MAX_SAFE_INTEGER;
  const taskIds: string[] = [];
  for (const { task } of claimed) {
    checkAt = Math.min(checkAt, runningCheckAt(task));
    taskIds.push(task.id);
  }
  return { token, workerId, checkAt, taskIds };
}

/** Input: list of tokens. What they count is read by the next statement. Locks: the rows, in the order of tokens. */
const lockClaims = statement(
  'lock_claims',
  (dialect) => `SELECT token FROM claims WHERE token ${dialect.oneOf('$1')}${dialect.lockInOrderOf('token')}`,
);

/** Inputs: token, how many of its tasks ended. Those that have no others go first: the CHECK refuses to count below one. */
const deleteClaims = eachStatement(
  'delete_claims',
  { token: 'text', ended: 'bigint' },
  (value, from, dialect) =>
    `DELETE FROM claims ${from.replace('FROM', 'USING')} WHERE token ${dialect.keyed(value.token)} AND running <= ${value.ended}`,
);
const shrinkClaims = eachStatement(
  'shrink_claims',
  { token: 'text', ended: 'bigint' },
  (value, from, dialect) =>
    `UPDATE claims SET running = running - ${value.ended} ${from} WHERE token ${dialect.keyed(value.token)}`,
);

/** Takes ended tasks off their claims. `ended` counts them by the token they ran under. */
export function endClaims(step: Step, ended: ReadonlyMap<string, number>): void {
  if (ended.size === 0) return;
  const rows = inOrder(ended);
  void step.tx.lock(lockClaims, JSON.stringify([...ended.keys()]));
  step.tx.sendEach(deleteClaims, rows);
  step.tx.sendEach(shrinkClaims, rows);
}

/** Inputs: token, time. A difference, by which the index of times is not looked through. */
const hastenClaims = eachStatement(
  'hasten_claims',
  { token: 'text', checkAt: 'bigint' },
  (value, from, dialect) =>
    `UPDATE claims SET check_at = ${value.checkAt} ${from} WHERE token ${dialect.keyed(value.token)} AND check_at - ${value.checkAt} > 0`,
);

/** Makes sure that the claims are looked at by then. */
export async function checkBy(step: Step, times: ReadonlyMap<string, number>): Promise<void> {
  if (times.size > 0) await step.tx.each(hastenClaims, inOrder(times));
}

/** Input: limit. */
const claimedTaskIds = statement<[taskIds: string]>('claimed_task_ids', () => 'SELECT task_ids FROM claims LIMIT $1');

/** Every running task, and some that have ended since they were claimed together; in any order. At most `limit` claims are looked at. */
export async function readClaimedTaskIds(tx: SqlTransaction, limit: number): Promise<readonly string[]> {
  const rows = await tx.query(claimedTaskIds, limit);
  return rows.flatMap(([taskIds]) => JSON.parse(taskIds) as readonly string[]);
}

/** Rows are always locked in the same order, so that two transactions do not wait for each other. */
function inOrder(values: ReadonlyMap<string, number>): readonly [token: string, value: number][] {
  const rows = [...values];
  return rows.length < 2 ? rows : rows.sort(([left], [right]) => (left < right ? -1 : 1));
}
