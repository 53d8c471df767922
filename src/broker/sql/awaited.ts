/** Parents that restored tasks wait for before they are there: whoever brings one marks it, so that its end lets them go. */

import { isFinished } from '../../core/states.ts';
import { eachStatement, statement } from './driver.ts';
import { type Edge, markParents, readParentRows } from './edges.ts';
import { idList } from './rows.ts';
import type { Step } from './step.ts';

/** Inputs: parent, child. Locks: the row. */
const awaitParents = eachStatement(
  'await_parents',
  { parentId: 'text', childId: 'text' },
  (value, from, dialect) =>
    `UPDATE edges SET awaited = 1 ${from} WHERE ${dialect.keyedPair(['parent_id', 'child_id'], [value.parentId, value.childId])}`,
);

export function storeAwaited(step: Step, edges: readonly Edge[]): void {
  step.tx.sendEach(
    awaitParents,
    edges.map(({ parentId, childId }) => [parentId, childId]),
  );
}

/** Input: list of ids. Locks: the rows. */
const metParents = statement<[parentId: string]>(
  'met_parents',
  (dialect) =>
    `UPDATE edges SET awaited = 0 WHERE awaited = 1 AND parent_id ${dialect.oneOf('$1')} RETURNING parent_id`,
);

/** Tasks that are there now: those that somebody waits for are parents from now on. */
export async function meetParents(step: Step, taskIds: readonly string[]): Promise<void> {
  if (taskIds.length === 0) return;
  const met = new Set((await step.tx.query(metParents, idList(taskIds))).map(([parentId]) => parentId));
  const rows = await readParentRows(step, met);
  await markParents(step, rows);
  for (const [id, { state }] of rows) if (isFinished(state)) step.ended.set(id, state);
}

/** Input: limit. */
const unmetParents = statement<[id: string]>(
  'unmet_parents',
  () =>
    'SELECT parent_id FROM edges WHERE awaited = 1 AND (SELECT 1 FROM tasks WHERE id = parent_id LIMIT 1) IS NOT NULL LIMIT $1',
);

/** Where several write at a time, one may restore a child while another stores its parent, and neither sees the other. */
export async function meetMissed(step: Step, limit: number): Promise<void> {
  const rows = await step.tx.query(unmetParents, limit);
  await meetParents(
    step,
    rows.map(([id]) => id),
  );
}
