/** Everything that may hold one task back, in one statement: a page that says why a task waits asks the store little. */

import { limits } from '../../core/limits.ts';
import type { Task } from '../../core/task.ts';
import { type SqlTransaction, type SqlValue, statement } from './driver.ts';

/** One thing found: what its columns hold depends on its kind, see {@link lookAtTask}. */
export type FactRow = readonly [
  kind:
    | 'queue'
    | 'child'
    | 'open'
    | 'failed'
    | 'done'
    | 'left'
    | 'limit'
    | 'holder'
    | 'held'
    | 'worker'
    | 'ahead'
    | 'group'
    | 'own'
    | 'before'
    | 'plain',
  name: string | null,
  one: string | null,
  two: string | null,
  a: number | null,
  b: number | null,
  c: number | null,
  d: number | null,
  e: number | null,
];

const parents = (edge: string): string => `SELECT '${edge}', parent_id, name, state, 0, 0, 0, 0, 0 FROM
      (SELECT parent_id, tasks.name AS name, tasks.state AS state FROM edges LEFT JOIN tasks ON id = parent_id
        WHERE child_id = $1 AND edges.state = '${edge}' ORDER BY parent_id LIMIT $8) AS ${edge}`;

const rule = (name: string): string => `SELECT 'holder', id, worker_id, ${name}, claimed_at, 0, 0, 0, 0 FROM
      (SELECT id, worker_id, claimed_at FROM slots JOIN tasks ON id = task_id WHERE slots.name = ${name} ORDER BY task_id LIMIT $9) AS holders
    UNION ALL SELECT 'held', NULL, NULL, ${name}, (SELECT count(*) FROM (SELECT 1 FROM slots WHERE slots.name = ${name} LIMIT $10) AS held),
      0, 0, 0, 0`;

const ahead = (group: string): string => `SELECT 'ahead', NULL, NULL, NULL, (SELECT count(*) FROM (SELECT 1 FROM tasks
      WHERE queue = $2 AND state = 'queued' AND (priority, due_at, id) < ($4, $5, $1) AND ${group} LIMIT $7) AS ahead), 0, 0, 0, 0`;

/**
 * Inputs: id, queue, group, priority, due time, from which time a beat is one of the living, most that are counted before it (0 where
 * it is not queued), most relatives, most holders, most slots that are counted, and the names of four limits. What comes before a task
 * is told for those of its own group; `own` is missing where the queue has no groups.
 */
export const lookAtTask = statement<FactRow>(
  'look_at_task',
  () => `WITH own (turn, since, plain_turn, plain_since) AS (
      SELECT COALESCE(turns.turn, plain_turn), COALESCE(since, plain_since), plain_turn, plain_since
      FROM rounds LEFT JOIN turns ON turns.queue = rounds.queue AND grp = $3 WHERE rounds.queue = $2)
    SELECT 'limit', name, paused_by, pause_reason, max, rate_count, rate_per_ms, tat, paused_at FROM limits
      WHERE name IN ($11, $12, $13, $14)
    UNION ALL SELECT 'queue', NULL, paused_by, pause_reason, paused_at, limited, 0, 0, 0 FROM queues WHERE name = $2
    UNION ALL SELECT 'group', NULL, paused_by, pause_reason, paused_at, weight, 0, 0, 0 FROM groups WHERE name = $3
    UNION ALL SELECT 'child', child_id, name, state, 0, 0, 0, 0, 0 FROM
      (SELECT child_id, tasks.name AS name, tasks.state AS state FROM edges LEFT JOIN tasks ON id = child_id
        WHERE parent_id = $1 ORDER BY child_id LIMIT $8) AS children
    UNION ALL ${parents('open')}
    UNION ALL ${parents('failed')}
    UNION ALL ${parents('done')}
    UNION ALL SELECT 'left', NULL, NULL, NULL, (SELECT count(*) FROM edges WHERE child_id = $1 AND state = 'open')
      + (SELECT count(*) FROM edges WHERE child_id = $1 AND state = 'failed'), 0, 0, 0, 0
    UNION ALL ${['$11', '$12', '$13', '$14'].map(rule).join(`
    UNION ALL `)}
    UNION ALL SELECT 'worker', NULL, presence, definitions, started_at, beat_at, 0, 0, 0 FROM workers WHERE beat_at > $6
    UNION ALL ${ahead('grp IS NULL AND $3 IS NULL')}
    UNION ALL ${ahead('grp = $3')}
    UNION ALL SELECT 'own', NULL, NULL, NULL, turn, since, plain_turn, plain_since, 0 FROM own
    UNION ALL SELECT 'before', grp, NULL, NULL, turn, since, 0, 0, 0 FROM
      (SELECT grp, turn, since FROM turns WHERE queue = $2 AND standing = 0
        AND (turn, since, grp) < ((SELECT turn FROM own), (SELECT since FROM own), COALESCE($3, ''))
        AND EXISTS (SELECT 1 FROM tasks WHERE tasks.queue = turns.queue AND tasks.grp = turns.grp AND state = 'queued')
        ORDER BY turn, since, grp LIMIT $7) AS earlier
    UNION ALL SELECT 'plain', NULL, NULL, NULL, 1, 0, 0, 0, 0
      WHERE EXISTS (SELECT 1 FROM tasks WHERE queue = $2 AND state = 'queued' AND grp IS NULL)`,
);

/** What is found of one task, by kind. `rules` are at most four names; workers that beat after `beatAfter` are living. */
export async function readFactRows(
  tx: SqlTransaction,
  task: Task,
  rules: readonly string[],
  beatAfter: number,
): Promise<ReadonlyMap<FactRow[0], readonly FactRow[]>> {
  const { id, queue, group, priority, dueAt, state } = task;
  const aheadMax = state === 'queued' ? limits.aheadMax : 0;
  const values: readonly SqlValue[] = [id, queue, group, priority, dueAt, beatAfter, aheadMax];
  const most = [limits.relativesMax, limits.holdersMax, limits.limitSlotsMax];
  const names = Array.from({ length: 4 }, (_, index) => rules[index] ?? null);
  return Map.groupBy(await tx.query(lookAtTask, ...values, ...most, ...names), ([kind]) => kind);
}
