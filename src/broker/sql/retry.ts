/** retry: a person's retry, finished → queued as a new generation. */

import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { RetryResult } from '../broker.ts';
import { storeTimeline } from './attempts.ts';
import { eachStatement, statement } from './driver.ts';
import { readHolders, takeKeys } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { idList } from './rows.ts';
import { record, type Step } from './step.ts';
import { joinRounds } from './turns.ts';

/** Input: list of ids. Locks: the rows. */
const retriedTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    generation: number,
    key: string | null,
    group: string | null,
  ]
>(
  'retried_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, generation, key, grp FROM tasks
    WHERE id IN ${dialect.list('$1')}${dialect.lock}`,
);

/** Everything of the former generation goes, its token too: a late report of it is stale. */
const retryTasks = eachStatement(
  'retry_tasks',
  { now: 'bigint', id: 'text' },
  (value, from) =>
    `UPDATE tasks SET state = 'queued', reason = 'retry', version = version + 1, generation = generation + 1, attempt = 0, crashes = 0,
     interruptions = 0, snoozes = 0, due_at = ${value.now}, result = NULL, error = NULL, fingerprint = NULL, progress = NULL, checkpoints = NULL,
     worker_id = NULL, lease_until = NULL, start_by = NULL, expires_at = NULL, check_at = NULL, cancel_requested_at = NULL,
     cancel_reason = NULL, claimed_at = NULL, started_at = NULL, finished_at = NULL, prune_at = NULL, settled_token = NULL,
     judge_token = NULL, judge_until = NULL ${from} WHERE id = ${value.id}`,
);

export async function retry(step: Step, taskIds: readonly string[]): Promise<readonly RetryResult[]> {
  refuseLargeBatch(taskIds);
  const rows = await step.tx.query(retriedTasks, idList(taskIds));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, generation, key, group]) => [
      id,
      { id, queue, name, state, reason, attempt, version, generation, key, group },
    ]),
  );
  const holders = await readHolders(
    step,
    [...known.values()].flatMap(({ key }) => key ?? []),
  );
  const retried = new Map<
    string,
    {
      readonly id: string;
      readonly key: string | null;
      readonly generation: number;
      readonly state: TaskState;
      readonly queue: string;
      readonly group: string | null;
    }
  >();
  const results = taskIds.map((taskId): RetryResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (!isFinished(row.state)) return { outcome: 'already', state: row.state };
    const holder = row.key === null ? undefined : holders.get(row.key);
    if (holder !== undefined && holder !== taskId) return { outcome: 'conflict', of: holder };
    const after = { ...row, state: 'queued', reason: 'retry', attempt: 0, generation: row.generation + 1 } as const;
    record(step, 'retry', row, row, after, row.version + 1);
    known.set(taskId, after);
    retried.set(taskId, after);
    if (row.key !== null) holders.set(row.key, taskId);
    return { outcome: 'queued', generation: after.generation };
  });
  const changed = [...retried.values()];
  await joinRounds(step, changed);
  await step.tx.each(
    retryTasks,
    changed.map(({ id }) => [step.now, id]),
  );
  await takeKeys(
    step,
    changed.flatMap(({ id, key }) => (key === null ? [] : [[key, id, null] as const])),
  );
  await storeTimeline(
    step,
    changed.map((task) => ({ task, kind: 'retried', text: `Retried by hand: generation ${task.generation}` })),
  );
  return results;
}
