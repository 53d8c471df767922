/** Edges between tasks: who waits for whom. Tasks without parents and children never come here. */

import { type EdgeState, parentsThatFit, type Waits } from '../../core/dependencies.ts';
import { limits } from '../../core/limits.ts';
import type { TaskState } from '../../core/states.ts';
import type { FailedParent, OnFailure, ParentResult, Task, TaskError } from '../../core/task.ts';
import { eachStatement, type SqlTransaction, statement } from './driver.ts';
import { carriesChildren, decodeOptions, encodeOptions, idList } from './rows.ts';
import type { Step } from './step.ts';

export interface Edge {
  readonly parentId: string;
  readonly childId: string;
  readonly state: EdgeState;
  readonly onFailure: OnFailure;
}

/** In words by which no index is looked through: those that lead to an edge begin with one of its tasks. */
const is = (state: EdgeState): string => `edges.state IS NOT DISTINCT FROM '${state}'`;

/** Inputs: an edge. Locks: none beyond the new row. */
export const insertEdges = eachStatement(
  'insert_edges',
  { parentId: 'text', childId: 'text', state: 'text', onFailure: 'text' },
  (value, from) => `INSERT INTO edges (parent_id, child_id, state, on_failure)
    SELECT ${value.parentId}, ${value.childId}, ${value.state}, ${value.onFailure} ${from} WHERE true
    ON CONFLICT (parent_id, child_id) DO NOTHING`,
  { parentId: 'parent_id', childId: 'child_id' },
);

/** Answers for each whether it is new. */
export async function storeEdges(step: Step, edges: readonly Edge[]): Promise<readonly boolean[]> {
  if (edges.length === 0) return [];
  return await step.tx.each(
    insertEdges,
    edges.map(({ parentId, childId, state, onFailure }) => [parentId, childId, state, onFailure]),
  );
}

/** Inputs: state, parent, child. Locks: the row. */
const setEdgeStates = eachStatement(
  'set_edges',
  { state: 'text', parentId: 'text', childId: 'text' },
  (value, from, dialect) =>
    `UPDATE edges SET state = ${value.state} ${from} WHERE ${dialect.keyedPair(['parent_id', 'child_id'], [value.parentId, value.childId])}`,
);

export async function setEdges(step: Step, edges: readonly Omit<Edge, 'onFailure'>[]): Promise<void> {
  if (edges.length > 0)
    await step.tx.each(
      setEdgeStates,
      edges.map(({ state, parentId, childId }) => [state, parentId, childId]),
    );
}

/** Input: list of ids. Locks: the rows. */
const closeAbove = statement(
  'close_edges_above',
  (dialect) =>
    `UPDATE edges SET state = 'done' WHERE child_id ${dialect.oneOf('$1')} AND (state = 'open' OR state = 'failed')`,
);

/** A judge has decided that no parent holds these tasks back any more. */
export async function letGo(step: Step, childIds: readonly string[]): Promise<void> {
  await step.tx.query(closeAbove, idList(childIds));
}

/** How a task stands that is, or becomes, a parent. */
export interface ParentRow {
  readonly state: TaskState;
  readonly options: string | null;
}

/** Input: list of ids. Locks: the rows: a parent that ends at the same time ends before, or sees its child after. */
const parentRows = statement<[id: string, state: TaskState, options: string | null]>(
  'parent_rows',
  (dialect) => `SELECT id, state, options FROM tasks WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

export async function readParentRows(step: Step, taskIds: Iterable<string>): Promise<Map<string, ParentRow>> {
  const ids = [...new Set(taskIds)];
  if (ids.length === 0) return new Map();
  const rows = await step.tx.query(parentRows, idList(ids));
  return new Map(rows.map(([id, state, options]) => [id, { state, options }]));
}

/** Inputs: options, task. */
const markParentRows = eachStatement(
  'mark_parents',
  { options: 'text', id: 'text' },
  (value, from, dialect) => `UPDATE tasks SET options = ${value.options} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** Notes on rows that exist that they have children now: what ends them looks for those. */
export async function markParents(step: Step, rows: ReadonlyMap<string, ParentRow>): Promise<void> {
  const fresh = [...rows].filter(([, { options }]) => !carriesChildren(options));
  if (fresh.length === 0) return;
  await step.tx.each(
    markParentRows,
    fresh.map(([id, { options }]) => [encodeOptions({ ...decodeOptions(options), hasChildren: true }), id]),
  );
}

/** Input: list of ids. */
const childrenOfTasks = statement<
  [parentId: string, childId: string, state: EdgeState, onFailure: OnFailure, childState: TaskState | null]
>(
  'children_of_tasks',
  (dialect) => `SELECT parent_id, child_id, edges.state, on_failure, tasks.state FROM edges
    LEFT JOIN tasks ON id ${dialect.keyed('child_id')} WHERE parent_id ${dialect.oneOf('$1')}`,
);

/** The edges below these tasks, each with the state of its child. */
export async function readChildren(
  step: Step,
  parentIds: readonly string[],
): Promise<readonly (Edge & { readonly childState: TaskState | null })[]> {
  if (parentIds.length === 0) return [];
  const rows = await step.tx.query(childrenOfTasks, idList(parentIds));
  return rows.map(([parentId, childId, state, onFailure, childState]) => ({
    parentId,
    childId,
    state,
    onFailure,
    childState,
  }));
}

/** Input: list of ids. */
const parentsOfTasks = statement<[parentId: string, childId: string, state: EdgeState, onFailure: OnFailure]>(
  'parents_of_tasks',
  (dialect) => `SELECT parent_id, child_id, state, on_failure FROM edges WHERE child_id ${dialect.oneOf('$1')}`,
);

/** The edges above these tasks. */
export async function readParents(step: Step, childIds: readonly string[]): Promise<readonly Edge[]> {
  if (childIds.length === 0) return [];
  const rows = await step.tx.query(parentsOfTasks, idList(childIds));
  return rows.map(([parentId, childId, state, onFailure]) => ({ parentId, childId, state, onFailure }));
}

/** Input: list of ids. */
const failedEdges = statement<
  [childId: string, parentId: string, onFailure: OnFailure, name: string | null, state: TaskState | null]
>(
  'failed_edges',
  (
    dialect,
  ) => `SELECT child_id, parent_id, on_failure, name, tasks.state FROM edges LEFT JOIN tasks ON id ${dialect.keyed('parent_id')}
    WHERE child_id ${dialect.oneOf('$1')} AND ${is('failed')}`,
);

/** By child: the parents whose end holds it back for good, in the order of its `dependsOn`. */
export async function readFailedParents(
  step: Step,
  children: readonly Task[],
): Promise<ReadonlyMap<string, readonly FailedParent[]>> {
  if (children.length === 0) return new Map();
  const rows = await step.tx.query(failedEdges, idList(children.map(({ id }) => id)));
  const failed = Map.groupBy(rows, ([childId]) => childId);
  return new Map(
    children.map(({ id, dependsOn }) => {
      const found = new Map(
        (failed.get(id) ?? []).map(([, taskId, onFailure, name, state]) => [
          taskId,
          { taskId, onFailure, name, state },
        ]),
      );
      return [id, dependsOn.flatMap(({ taskId }) => found.get(taskId) ?? [])];
    }),
  );
}

/** Input: list of ids. Sizes are told without reading what is large. */
const parentsTold = statement<[id: string, name: string, state: TaskState, bytes: number]>(
  'parents_told',
  (dialect) => `SELECT id, name, state, COALESCE(octet_length(result), 0) + COALESCE(octet_length(error), 0) FROM tasks
    WHERE id ${dialect.oneOf('$1')}`,
);

/** Input: list of ids. */
const parentResults = statement<[id: string, result: string | null, error: string | null]>(
  'parent_results',
  (dialect) => `SELECT id, result, error FROM tasks WHERE id ${dialect.oneOf('$1')}`,
);

/** What a claim tells of the parents, by child: of all of them together as much as a claim may carry. */
export async function readParentResults(
  tx: SqlTransaction,
  children: readonly Task[],
): Promise<ReadonlyMap<string, readonly ParentResult[]>> {
  const ids = new Set(children.flatMap(({ dependsOn }) => dependsOn.map(({ taskId }) => taskId)));
  const rows = await tx.query(parentsTold, idList([...ids]));
  const sizes = rows.map(([taskId, , , bytes]) => ({ taskId, bytes }));
  const fitting = parentsThatFit(sizes, limits.claimParentsBytesMax);
  const known = new Map<string, ParentResult>();
  for (const [taskId, name, state, bytes] of rows) {
    const told = { taskId, name, state, result: null, error: null };
    known.set(taskId, fitting.has(taskId) ? told : { ...told, leftOutBytes: bytes });
  }
  for (const [taskId, result, error] of await tx.query(parentResults, idList([...fitting]))) {
    const told = known.get(taskId);
    const ended = { result, error: error === null ? null : (JSON.parse(error) as TaskError) };
    if (told !== undefined) known.set(taskId, { ...told, ...ended });
  }
  return new Map(
    children.map(({ id, dependsOn }) => [id, dependsOn.map(({ taskId }) => known.get(taskId) ?? gone(taskId))]),
  );
}

function gone(taskId: string): ParentResult {
  return { taskId, name: null, state: null, result: null, error: null };
}

/** Inputs: list of ids. An edge that failed outlives its parent, for the verdict on the child; every edge goes with its child. */
const eraseChildEdges = statement(
  'erase_child_edges',
  (dialect) => `DELETE FROM edges WHERE child_id ${dialect.oneOf('$1')}`,
);
const eraseParentEdges = statement(
  'erase_parent_edges',
  (dialect) => `DELETE FROM edges WHERE parent_id ${dialect.oneOf('$1')} AND ${is('done')}`,
);

export async function eraseEdges(step: Step, taskIds: readonly string[]): Promise<void> {
  for (const erasing of [eraseChildEdges, eraseParentEdges]) await step.tx.query(erasing, idList(taskIds));
}

/** Inputs: task, other task. Whether the other must end before the task may run, by way of open edges. */
const ancestor = statement<[id: string]>(
  'ancestor',
  (dialect) => `WITH RECURSIVE above (id) AS (
      SELECT id FROM tasks WHERE id = $1
      UNION SELECT parent_id FROM above JOIN edges ON child_id ${dialect.keyed('above.id')} AND ${is('open')}
    ) SELECT id FROM above WHERE id = $2 LIMIT 1`,
);

export async function waitsFor(step: Step, taskId: string, otherId: string): Promise<boolean> {
  return (await step.tx.query(ancestor, taskId, otherId)).length > 0;
}

/** Input: list of ids. The open edges above them, and above those. SQLite reads a cross join in the order it is written. */
const edgesAbove = statement<[childId: string, parentId: string]>(
  'edges_above',
  (dialect) => `WITH RECURSIVE above (id) AS (
      SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')}
      UNION SELECT parent_id FROM above JOIN edges ON child_id ${dialect.keyed('above.id')} AND ${is('open')}
    ) SELECT child_id, parent_id FROM above CROSS JOIN edges WHERE child_id ${dialect.keyed('above.id')} AND ${is('open')}`,
);

/** Who waits for whom, as far as these tasks wait for it. */
export async function readAbove(step: Step, taskIds: readonly string[]): Promise<Waits> {
  const waits = new Map<string, string[]>();
  for (const [childId, parentId] of await step.tx.query(edgesAbove, idList([...new Set(taskIds)]))) {
    const known = waits.get(childId);
    if (known === undefined) waits.set(childId, [parentId]);
    else known.push(parentId);
  }
  return waits;
}
