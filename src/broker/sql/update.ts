/** update: changes a waiting task as a person asks. */

import { checkLimitRules } from '../../core/limit-rules.ts';
import { isWaiting, type Reason, type TaskState } from '../../core/states.ts';
import type { TaskPatch } from '../../core/task.ts';
import type { TaskChange, UpdateResult } from '../broker.ts';
import { storeTimeline } from './attempts.ts';
import { eachStatement, statement } from './driver.ts';
import { refuseLargeBatch } from './refuse.ts';
import { decodeOptions, encodeOptions, idList } from './rows.ts';
import { noteDue, record, type Step } from './step.ts';
import { type Arriving, joinRounds } from './turns.ts';

/** Input: list of ids. Locks: the rows. */
const updatedTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    state: TaskState,
    reason: Reason | null,
    attempt: number,
    version: number,
    priority: number,
    dueAt: number,
    options: string | null,
  ]
>(
  'updated_tasks',
  (dialect) => `SELECT id, queue, name, state, reason, attempt, version, priority, due_at, options FROM tasks
    WHERE id ${dialect.oneOf('$1')}${dialect.lockInOrderOf('id')}`,
);

const updateTasks = eachStatement(
  'update_tasks',
  { queue: 'text', state: 'text', version: 'bigint', priority: 'bigint', dueAt: 'bigint', options: 'text', id: 'text' },
  (
    value,
    from,
    dialect,
  ) => `UPDATE tasks SET queue = ${value.queue}, state = ${value.state}, version = ${value.version}, priority = ${value.priority},
    due_at = ${value.dueAt}, options = ${value.options} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

interface Row {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly version: number;
  readonly priority: number;
  readonly dueAt: number;
  readonly options: string | null;
}

export async function update(step: Step, changes: readonly TaskChange[]): Promise<readonly UpdateResult[]> {
  refuseLargeBatch(changes);
  for (const { patch } of changes) if (patch.limits !== undefined) checkLimitRules(patch.limits);
  const rows = await step.tx.query(updatedTasks, idList(changes.map(({ taskId }) => taskId)));
  const known = new Map(
    rows.map(([id, queue, name, state, reason, attempt, version, priority, dueAt, options]): [string, Row] => [
      id,
      { id, queue, name, state, reason, attempt, version, priority, dueAt, options },
    ]),
  );
  const changed = new Map<string, Row>();
  const queued: Arriving[] = [];
  const notes: { readonly task: Row; readonly kind: string; readonly text: string }[] = [];
  const results = changes.map((change): UpdateResult => {
    const row = known.get(change.taskId);
    if (row === undefined) return { outcome: 'unknown' };
    if (!isWaiting(row.state)) return { outcome: 'already', state: row.state };
    if (change.version !== null && change.version !== row.version) return { outcome: 'changed', version: row.version };
    const after = patched(step, row, change.patch);
    record(step, 'update', after, row, after, after.version, undefined, row.queue);
    known.set(row.id, after);
    if (after.state === 'scheduled' && change.patch.delayMs !== undefined) noteDue(step, after.dueAt);
    changed.set(row.id, after);
    if (after.state === 'queued') queued.push({ queue: after.queue, group: decodeOptions(after.options).group });
    notes.push({ task: after, kind: 'edited', text: `Edited by hand: ${describe(change.patch)}` });
    return { outcome: 'updated', state: after.state };
  });
  await joinRounds(step, queued);
  await step.tx.each(
    updateTasks,
    [...changed.values()].map((row) => [
      row.queue,
      row.state,
      row.version,
      row.priority,
      row.dueAt,
      row.options,
      row.id,
    ]),
  );
  await storeTimeline(step, notes);
  return results;
}

function patched(step: Step, row: Row, patch: TaskPatch): Row {
  const dueAt = patch.delayMs === undefined ? row.dueAt : step.now + patch.delayMs;
  const follows: TaskState = dueAt > step.now ? 'scheduled' : 'queued';
  return {
    ...row,
    version: row.version + 1,
    queue: patch.queue ?? row.queue,
    priority: patch.priority ?? row.priority,
    dueAt,
    state: patch.delayMs === undefined || row.state === 'blocked' ? row.state : follows,
    options: patchedOptions(row.options, patch),
  };
}

function patchedOptions(options: string | null, { tags, limits }: TaskPatch): string | null {
  if (tags === undefined && limits === undefined) return options;
  const known = decodeOptions(options);
  return encodeOptions({ ...known, tags: tags ?? known.tags, limits: limits ?? known.limits });
}

function describe(patch: TaskPatch): string {
  return Object.entries(patch)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `${field} ${JSON.stringify(value)}`)
    .join(', ');
}
