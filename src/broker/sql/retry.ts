/** retry: a person's retry, a finished task waits again as a new generation. */

import { edgeState } from '../../core/dependencies.ts';
import { isFinished, type Reason, type TaskState } from '../../core/states.ts';
import type { RetryResult } from '../broker.ts';
import { storeTimeline } from './attempts.ts';
import { eachStatement, statement } from './driver.ts';
import {
  markParents,
  type ParentRow,
  readChildren,
  readParentRows,
  readParents,
  type Edge as StoredEdge,
  setEdges,
  waitsFor,
} from './edges.ts';
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
    WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

/** Everything of the former generation goes, its token too: a late report of it is stale. */
const retryTasks = eachStatement(
  'retry_tasks',
  { state: 'text', now: 'bigint', checkAt: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET state = ${value.state}, reason = 'retry', version = version + 1, generation = generation + 1, attempt = 0, crashes = 0,
     interruptions = 0, snoozes = 0, due_at = ${value.now}, result = NULL, error = NULL, fingerprint = NULL, progress = NULL, checkpoints = NULL,
     worker_id = NULL, lease_until = NULL, start_by = NULL, expires_at = NULL, check_at = ${value.checkAt}, cancel_requested_at = NULL,
     cancel_reason = NULL, claimed_at = NULL, started_at = NULL, finished_at = NULL, prune_at = NULL, settled_token = NULL,
     judge_token = NULL, judge_until = NULL ${from} WHERE id ${dialect.keyed(value.id)}`,
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
  const keys = [...known.values()].flatMap(({ key }) => key ?? []);
  await step.tx.hold('keys', keys, 'alone');
  const holders = await readHolders(step, keys);
  const asked = await askParents(step, [...known.values()]);
  const retried = new Map<string, Row & { readonly edges: readonly Edge[] }>();
  const results = taskIds.map((taskId): RetryResult => {
    const row = known.get(taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (!isFinished(row.state)) return { outcome: 'already', state: row.state };
    const holder = row.key === null ? undefined : holders.get(row.key);
    if (holder !== undefined && holder !== taskId) return { outcome: 'conflict', of: holder };
    const edges = asked.edgesOf(taskId, (id) => known.get(id)?.state);
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
  const edges = changed.flatMap((row) => row.edges);
  if (edges.some(({ state }) => state === 'failed')) step.overdue = true;
  await setEdges(step, edges);
  await markWaitedFor(step, edges, asked.parents);
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

interface Asked {
  edgesOf(taskId: string, stateOf: (taskId: string) => TaskState | undefined): readonly Edge[];
  /** The parents there are, by id. */
  readonly parents: ReadonlyMap<string, ParentRow>;
}

/** As they are now: a parent that runs again is waited for. Who is gone can not be asked and holds nobody back. */
async function askParents(step: Step, rows: readonly Row[]): Promise<Asked> {
  const children = rows.flatMap(({ id, options }) => (decodeOptions(options).dependsOn.length > 0 ? [id] : []));
  const edges = Map.groupBy(await readParents(step, children), ({ childId }) => childId);
  const parents = await readParentRows(
    step,
    [...edges.values()].flat().map(({ parentId }) => parentId),
  );
  return {
    parents,
    edgesOf: (taskId, stateOf) =>
      (edges.get(taskId) ?? []).map(({ parentId, childId, onFailure }) => {
        const parent = stateOf(parentId) ?? parents.get(parentId)?.state;
        return { parentId, childId, state: parent === undefined ? 'done' : edgeState(parent, onFailure) };
      }),
  };
}

/** A task that has taken the id of a parent that is gone does not know yet that it has children. */
async function markWaitedFor(step: Step, edges: readonly Edge[], rows: Asked['parents']): Promise<void> {
  const open = new Set(edges.flatMap(({ state, parentId }) => (state === 'open' ? [parentId] : [])));
  await markParents(step, new Map([...rows].filter(([id]) => open.has(id))));
}

/** Input: task, which is blocked. Without a failed parent it needs no verdict but for its life. */
const dismissJudges = eachStatement(
  'dismiss_judges',
  { id: 'text' },
  (value, from, dialect) => `UPDATE tasks SET judge_token = NULL, judge_until = NULL,
     check_at = CASE WHEN (SELECT 1 FROM edges WHERE child_id = ${value.id} AND edges.state = 'failed' LIMIT 1) IS NOT NULL THEN check_at ELSE expires_at END
   ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** Who waits for a task that failed, and was not judged for it yet, waits for its next run; unless that waits for the child. */
async function reopenEdges(step: Step, retried: readonly Row[]): Promise<void> {
  const parents = retried.filter(({ options }) => carriesChildren(options));
  const children = Map.groupBy(
    await readChildren(
      step,
      parents.map(({ id }) => id),
    ),
    ({ parentId }) => parentId,
  );
  // One after the other: each edge that is open again may close a way around with the next one.
  for (const { id: parentId, state: parentState } of parents) {
    const opened: Edge[] = [];
    for (const { childId, state, childState } of children.get(parentId) ?? []) {
      if (state !== 'failed' || childState !== 'blocked') continue;
      if (parentState === 'blocked' && (await waitsFor(step, parentId, childId))) continue;
      opened.push({ parentId, childId, state: 'open' });
    }
    if (opened.length === 0) continue;
    await setEdges(step, opened);
    await step.tx.each(
      dismissJudges,
      opened.map(({ childId }) => [childId]),
    );
  }
}
