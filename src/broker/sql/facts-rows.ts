/** Everything that may hold tasks back, in one statement however many they are: what says why tasks wait asks the store little. */

import { limits } from '../../core/limits.ts';
import { type Dialect, type SqlTransaction, statement } from './driver.ts';
import { idList } from './rows.ts';

/** One thing found, and of whom: what its columns hold depends on its kind, see {@link lookAtTasks}. */
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
    | 'plain',
  /** The id of a task, or the name of a queue, group or limit; `null` of all. */
  of: string | null,
  name: string | null,
  one: string | null,
  two: string | null,
  a: number | null,
  b: number | null,
  c: number | null,
  d: number | null,
  e: number | null,
];

/** The last of the first `$5` of a list in its order: what comes behind it is not read. */
const lastOf = (column: string, list: string): string =>
  `(SELECT max(${column}) FROM (SELECT ${column} FROM ${list} ORDER BY ${column} LIMIT $5) AS first)`;

const edgesBelow = 'edges AS below WHERE below.parent_id = tasks.id';
const edgesAbove = (edge: string): string =>
  `edges AS above WHERE above.child_id = tasks.id AND above.state = '${edge}'`;

const parents = (
  edge: string,
  { keyed }: Dialect,
): string => `SELECT '${edge}', given.id, parent_id, tasks.name, tasks.state, 0, 0, 0, 0, 0
      FROM given CROSS JOIN edges LEFT JOIN tasks ON tasks.id ${keyed('parent_id')}
      WHERE child_id ${keyed('given.id')} AND edges.state IS NOT DISTINCT FROM '${edge}' AND parent_id <= last_${edge}`;

/** As expressions: SQLite compares three columns with three others by the first alone. */
const place = "COALESCE(priority, 0) AS of_priority, COALESCE(due_at, 0) AS of_due_at, COALESCE(id, '') AS of_id";

/**
 * Backwards from the task: Postgres ends a walk towards it by the first of the three columns only, and without an order it may read the whole table.
 */
const ahead = (group: string): string => `(SELECT count(*) FROM (SELECT 1 FROM tasks
      WHERE tasks.queue = given.queue AND tasks.state = 'queued' AND ${group}
        AND (tasks.priority, tasks.due_at, tasks.id) < (of_priority, of_due_at, of_id) ORDER BY tasks.priority DESC, tasks.due_at DESC, tasks.id DESC LIMIT $4) AS counted)`;

/** Whether such a task is queued. Of an EXISTS Postgres would make a list of all that are. */
const isAny = (condition: string): string =>
  `(SELECT 1 FROM tasks WHERE ${condition} AND tasks.state = 'queued' LIMIT 1) IS NOT NULL`;

/** The groups that are served before one. */
const earlier = `turns WHERE turns.queue = own.queue AND turns.standing = 0
        AND (turns.turn, turns.since, turns.grp) < (own.turn, own.since, COALESCE(own.grp, ''))
        AND ${isAny('tasks.queue = turns.queue AND tasks.grp = turns.grp')}`;

/**
 * Inputs: list of ids, list of names of limits, from which time a beat is one of the living, most that are counted before a task, most relatives,
 * most holders, most slots that are counted. What comes before a task is told of queued ones, for those of their own group; `own` is
 * missing where the queue has no groups: where the group stands, how many are served before it, and the first of them with where that stands. `plain`
 * is where the tasks without a group stand, when there are any.
 */
export const lookAtTasks = statement<FactRow>('look_at_tasks', factsText);

function factsText(dialect: Dialect): string {
  const { keyed, oneFrom } = dialect;
  return `WITH given AS MATERIALIZED (SELECT id, queue, grp, state, ${place}, ${lastOf('child_id', edgesBelow)} AS last_child,
      ${['open', 'failed', 'done'].map((edge) => `${lastOf('parent_id', edgesAbove(edge))} AS last_${edge}`).join(', ')}
      FROM tasks WHERE id ${dialect.oneOf('$1')}),
    rules AS MATERIALIZED (SELECT name, max, rate_count, rate_per_ms, tat, paused_at, paused_by, pause_reason,
      ${lastOf('task_id', 'slots WHERE slots.name = limits.name').replace('$5', '$6')} AS last_holder
      FROM limits WHERE name ${dialect.oneOf('$2')}),
    own AS MATERIALIZED (SELECT lines.queue, lines.grp, COALESCE(turns.turn, plain_turn) AS turn, COALESCE(turns.since, plain_since) AS since
      FROM (SELECT DISTINCT queue, grp FROM given) AS lines JOIN rounds ON rounds.queue ${keyed('lines.queue')}
        LEFT JOIN turns ON turns.queue ${keyed('lines.queue')} AND turns.grp ${keyed('lines.grp')}),
    led AS MATERIALIZED (SELECT own.queue, own.grp, own.turn, own.since, (SELECT count(*) FROM (SELECT 1 FROM ${earlier} LIMIT $4) AS counted) AS leaders,
      (SELECT turns.grp FROM ${earlier} ORDER BY turns.turn, turns.since, turns.grp LIMIT 1) AS leader FROM own)
    SELECT 'limit', name, name, paused_by, pause_reason, max, rate_count, rate_per_ms, tat, paused_at FROM rules
    UNION ALL SELECT 'holder', rules.name, tasks.id, worker_id, NULL, claimed_at, 0, 0, 0, 0
      FROM rules CROSS JOIN slots JOIN tasks ON tasks.id ${keyed('task_id')} WHERE slots.name ${keyed('rules.name')} AND task_id <= last_holder
    UNION ALL SELECT 'held', name, NULL, NULL, NULL, (SELECT count(*) FROM (SELECT 1 FROM slots WHERE slots.name = rules.name LIMIT $7) AS held),
      0, 0, 0, 0 FROM rules
    UNION ALL SELECT 'queue', name, NULL, paused_by, pause_reason, paused_at, limited, 0, 0, 0 FROM queues WHERE name ${oneFrom('SELECT queue FROM given')}
    UNION ALL SELECT 'group', name, NULL, paused_by, pause_reason, paused_at, weight, 0, 0, 0 FROM groups WHERE name ${oneFrom('SELECT grp FROM given')}
    UNION ALL SELECT 'child', given.id, child_id, tasks.name, tasks.state, 0, 0, 0, 0, 0
      FROM given CROSS JOIN edges LEFT JOIN tasks ON tasks.id ${keyed('child_id')} WHERE parent_id ${keyed('given.id')} AND child_id <= last_child
    UNION ALL ${parents('open', dialect)}
    UNION ALL ${parents('failed', dialect)}
    UNION ALL ${parents('done', dialect)}
    UNION ALL SELECT 'left', id, NULL, NULL, NULL, (SELECT count(*) FROM edges WHERE child_id = given.id AND state = 'open')
      + (SELECT count(*) FROM edges WHERE child_id = given.id AND state = 'failed'), 0, 0, 0, 0 FROM given
    UNION ALL SELECT 'worker', NULL, NULL, presence, definitions, started_at, beat_at, 0, 0, 0 FROM workers WHERE beat_at > $3
    UNION ALL SELECT 'ahead', id, NULL, NULL, NULL, ${ahead('tasks.grp IS NULL')}, 0, 0, 0, 0 FROM given WHERE state = 'queued' AND grp IS NULL
    UNION ALL SELECT 'ahead', id, NULL, NULL, NULL, ${ahead('tasks.grp = given.grp')}, 0, 0, 0, 0 FROM given WHERE state = 'queued' AND grp IS NOT NULL
    UNION ALL SELECT 'own', led.queue, led.grp, leader, NULL, led.turn, led.since, leaders, turns.turn, turns.since
      FROM led LEFT JOIN turns ON turns.queue ${keyed('led.queue')} AND turns.grp ${keyed('leader')}
    UNION ALL SELECT 'plain', queue, NULL, NULL, NULL, plain_turn, plain_since, 0, 0, 0 FROM rounds WHERE queue ${oneFrom('SELECT queue FROM given')}
      AND ${isAny('tasks.queue = rounds.queue AND tasks.grp IS NULL')}`;
}

/** Found rows by their kind and of whom they are. */
export type Found = (kind: FactRow[0], of: string | null) => readonly FactRow[];

const none: readonly FactRow[] = [];

/** What is found of tasks and of the limits of these names; workers that beat after `beatAfter` are living. */
export async function readFactRows(
  tx: SqlTransaction,
  taskIds: readonly string[],
  rules: Iterable<string>,
  beatAfter: number,
): Promise<Found> {
  const most = [limits.aheadMax, limits.relativesMax, limits.holdersMax, limits.limitSlotsMax];
  const rows = await tx.query(lookAtTasks, idList(taskIds), JSON.stringify([...new Set(rules)]), beatAfter, ...most);
  const found = Map.groupBy(rows, ([kind, of]) => `${kind} ${of ?? ''}`);
  return (kind, of) => found.get(`${kind} ${of ?? ''}`) ?? none;
}
