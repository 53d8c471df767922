/** retry: a person's retry, a finished task waits again as a new generation. */

import { edgeState } from '../../core/dependencies.ts';
import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { RetryResult } from '../broker.ts';
import { storeTimeline } from './attempts.ts';
import { eachStatement, statement } from './driver.ts';
import { readChildren, readParentRows, type Edge as StoredEdge, setEdges } from './edges.ts';
import { liftWishes } from './flows.ts';
import { readHolders, takeKeys } from './keys.ts';
import { refuseLargeBatch } from './refuse.ts';
import { carriesChildren, decodeOptions, idList } from './rows.ts';
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
    options: string | null,
  ]
>(
  'retried_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, generation, key, grp, options FROM tasks
    WHERE id IN ${dialect.list('$1')}${dialect.lock}`,
);

/** Everything of the former generation goes, its token too: a late report of it is stale. */
const retryTasks = eachStatement(
  'retry_tasks',
  { state: 'text', now: 'bigint', checkAt: 'bigint', id: 'text' },
  (value, from) =>
    `UPDATE tasks SET state = ${value.state}, reason = 'retry', version = version + 1, generation = generation + 1, attempt = 0, crashes = 0,
     interruptions = 0, snoozes = 0, due_at = ${value.now}, result = NULL, error = NULL, fingerprint = NULL, progress = NULL, checkpoints = NULL,
     worker_id = NULL, lease_until = NULL, start_by = NULL, expires_at = NULL, check_at = ${value.checkAt}, cancel_requested_at = NULL,
     cancel_reason = NULL, claimed_at = NULL, started_at = NULL, finished_at = NULL, prune_at = NULL, settled_token = NULL,
     judge_token = NULL, judge_until = NULL ${from} WHERE id = ${value.id}`,
);

interface Row {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly generation: number;
  readonly key: string | null;
  readonly group: string | null;
  readonly options: string | null;
}

export async function retry(step: Step, taskIds: readonly string[]): Promise<readonly RetryResult[]> {
  refuseLargeBatch(taskIds);
  const rows = await step.tx.query(retriedTasks, idList(taskIds));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, generation, key, group, options]): [string, Row] => [
      id,
      { id, queue, name, state, reason, attempt, version, generation, key, group, options },
    ]),
  );
  const holders = await readHolders(
    step,
    [...known.values()].flatMap(({ key }) => key ?? []),
  );
  const parents = await askParents(step, [...known.values()]);
  const retried = new Map<string, Row & { readonly edges: readonly Edge[] }>();
  const results = taskIds.map((taskId): RetryResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (!isFinished(row.state)) return { outcome: 'already', state: row.state };
    const holder = row.key === null ? undefined : holders.get(row.key);
    if (holder !== undefined && holder !== taskId) return { outcome: 'conflict', of: holder };
    const edges = parents.edgesOf(taskId, (id) => known.get(id)?.state);
    const state = edges.some((edge) => edge.state !== 'done') ? 'blocked' : 'queued';
    const after = { ...row, state, reason: 'retry', attempt: 0, generation: row.generation + 1 } as const;
    record(step, 'retry', row, row, after, row.version + 1);
    known.set(taskId, after);
    retried.set(taskId, { ...after, edges });
    if (row.key !== null) holders.set(row.key, taskId);
    return { outcome: state, generation: after.generation };
  });
  const changed = [...retried.values()];
  await joinRounds(
    step,
    changed.filter(({ state }) => state === 'queued'),
  );
  await step.tx.each(
    retryTasks,
    changed.map(({ id, state, edges }) => {
      return [state, step.now, edges.some((edge) => edge.state === 'failed') ? step.now : null, id];
    }),
  );
  await takeKeys(
    step,
    changed.flatMap(({ id, key }) => (key === null ? [] : [[key, id, null] as const])),
  );
  await setEdges(
    step,
    changed.flatMap(({ edges }) => edges),
  );
  await reopenEdges(step, changed);
  await liftWishes(
    step,
    changed.map(({ id }) => id),
  );
  await storeTimeline(
    step,
    changed.map((task) => ({ task, kind: 'retried', text: `Retried by hand: generation ${task.generation}` })),
  );
  return results;
}

type Edge = Omit<StoredEdge, 'onFailure'>;

/** As they are now: a parent that runs again is waited for. Who is gone can not be asked and holds nobody back. */
async function askParents(
  step: Step,
  rows: readonly Row[],
): Promise<{ edgesOf(taskId: string, stateOf: (taskId: string) => TaskState | undefined): readonly Edge[] }> {
  const dependsOn = new Map(
    rows.flatMap(({ id, options }) => (options === null ? [] : [[id, decodeOptions(options).dependsOn] as const])),
  );
  const parents = await readParentRows(
    step,
    [...dependsOn.values()].flat().map(({ taskId }) => taskId),
  );
  return {
    edgesOf: (childId, stateOf) =>
      (dependsOn.get(childId) ?? []).map(({ taskId, onFailure }) => {
        const parent = stateOf(taskId) ?? parents.get(taskId)?.state;
        return { parentId: taskId, childId, state: parent === undefined ? 'done' : edgeState(parent, onFailure) };
      }),
  };
}

/** Input: task, which is blocked. Without a failed parent it needs no verdict but for its life. */
const dismissJudges = eachStatement(
  'dismiss_judges',
  { id: 'text' },
  (value, from) => `UPDATE tasks SET judge_token = NULL, judge_until = NULL,
     check_at = CASE WHEN EXISTS (SELECT 1 FROM edges WHERE child_id = ${value.id} AND edges.state = 'failed') THEN check_at ELSE expires_at END
   ${from} WHERE id = ${value.id}`,
);

/** Who waits for a task that failed, and was not judged for it yet, waits for its next run. */
async function reopenEdges(step: Step, retried: readonly Row[]): Promise<void> {
  const parents = retried.filter(({ options }) => carriesChildren(options)).map(({ id }) => id);
  const edges = await readChildren(step, parents);
  const failed = edges.filter(({ state, childState }) => state === 'failed' && childState === 'blocked');
  await setEdges(
    step,
    failed.map(({ parentId, childId }) => ({ parentId, childId, state: 'open' })),
  );
  if (failed.length > 0)
    await step.tx.each(
      dismissJudges,
      failed.map(({ childId }) => [childId]),
    );
}
