/** Waiting tasks that get another parent: they are blocked from then on. */

import { checkParents, hasLoop, loopThroughStore, mustWaitFor } from '../../core/dependencies.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { Dependency } from '../../core/task.ts';
import { eachStatement, statement } from './driver.ts';
import { type Edge, readAbove, storeEdges } from './edges.ts';
import { decodeOptions, encodeOptions, idList } from './rows.ts';
import { record, type Step } from './step.ts';

/** A waiting task gets another parent. `position` is that of the parent in the call. */
export interface Gain extends Edge {
  readonly position: number;
  /** Whether the parent waits itself: only then may the two wait for each other. */
  readonly waits: boolean;
}

/** Input: list of ids. Locks: the rows, by id. */
const waitingTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    expiresAt: number | null,
    options: string | null,
  ]
>(
  'waiting_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, expires_at, options FROM tasks
    WHERE id ${dialect.oneOf('$1')} AND (state = 'blocked' OR state = 'scheduled' OR state = 'queued')
    ORDER BY id${dialect.lock}`,
);

/** Inputs: options, next check, task. */
const blockTasks = eachStatement(
  'block_tasks',
  { options: 'text', checkAt: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET state = 'blocked', version = version + 1, options = ${value.options}, check_at = ${value.checkAt} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** Throws INVALID_FLOW when two would wait for each other. Who runs, has ended or is unknown is left alone. */
export async function gainParents(step: Step, gains: readonly Gain[]): Promise<void> {
  if (gains.length === 0) return;
  const rows = await step.tx.query(waitingTasks, idList([...new Set(gains.map(({ childId }) => childId))]));
  const waiting = new Set(rows.map(([id]) => id));
  const possible = gains.filter(({ childId }) => waiting.has(childId));
  const stored = await storeEdges(step, possible);
  const fresh = possible.filter((_gain, index) => stored[index] === true);
  await refuseLoops(
    step,
    fresh.filter(({ waits, state }) => waits && state === 'open'),
  );
  const gained = Map.groupBy(fresh, ({ childId }) => childId);
  const updates: [options: string | null, checkAt: number | null, id: string][] = [];
  for (const [id, queue, name, state, reason, attempt, version, expiresAt, options] of rows) {
    const parents = gained.get(id)?.map(({ parentId, onFailure }): Dependency => ({ taskId: parentId, onFailure }));
    if (parents === undefined) continue;
    const known = decodeOptions(options);
    checkParents(gained.get(id)?.at(-1)?.position ?? 0, id, known.dependsOn.length + parents.length);
    updates.push([encodeOptions({ ...known, dependsOn: [...known.dependsOn, ...parents] }), expiresAt, id]);
    const before = { state, reason, attempt };
    record(step, 'block', { id, queue, name }, before, { ...before, state: 'blocked' }, version + 1);
    step.blocked.add(id);
  }
  if (updates.length > 0) await step.tx.each(blockTasks, updates);
}

/** Once for all of them: what is above a thousand parents may be the same ten thousand tasks. */
async function refuseLoops(step: Step, gains: readonly Gain[]): Promise<void> {
  if (gains.length === 0) return;
  const waits = await readAbove(
    step,
    gains.map(({ parentId }) => parentId),
  );
  if (!hasLoop(waits)) return;
  for (const { parentId, childId, position } of gains) {
    if (mustWaitFor(waits, parentId, childId)) throw loopThroughStore(position, childId);
  }
}
