/** What a look at a queue chooses from: the first tasks of its groups with the limits they carry, in one statement, and in one more what is behind full limits. */

import { limits } from '../../core/limits.ts';
import { isServedBefore, type StandingGroup } from '../../core/turns.ts';
import { type Dialect, type RowAddress, type SqlTransaction, statement } from './driver.ts';
import { type Candidate, comesBefore, keyOf, type Lane, newLane, type Place, rulesOf, start } from './lanes.ts';
import type { LookedLimit } from './limits.ts';
import type { Memory } from './step.ts';

/** A task, how many groups there are in front, or a limit that tasks of the answer carry: then the columns are those of {@link LookedLimit}. */
type PoolRow = [
  kind: 'task' | 'paused' | 'further' | 'front' | 'limit',
  grp: string | null,
  turn: number,
  since: number,
  weight: number,
  tat: number,
  row: RowAddress | null,
  priority: number,
  dueAt: number,
  id: string | null,
  options: string | null,
];

/** One group of the queue, or what has none in it, with its first tasks. */
interface PoolLane extends StandingGroup {
  readonly weight: number;
  readonly isPaused: boolean;
  /** Whether there are no others. */
  readonly isWhole: boolean;
  readonly tasks: readonly Candidate[];
}

export interface Pool {
  readonly lanes: readonly PoolLane[];
  /** By name, all that the tasks carry and that anybody has used or configured. */
  readonly limits: Map<string, LookedLimit>;
  /** Whether other groups may stand behind those that were looked at. */
  readonly isCut: boolean;
  /** Whether it is more than the first task of each group. */
  readonly isDeep: boolean;
}

const inTime = "state = 'queued' AND (check_at IS NULL OR check_at > $1)";
const inOrder = 'ORDER BY priority, due_at, id';

const standing = (paused: 0 | 1, behind: string, most: string): string =>
  `SELECT * FROM (SELECT grp, turn, since, standing FROM turns WHERE queue = $2 AND standing = ${paused} ${behind}
     ORDER BY turn, since, grp LIMIT ${most}) AS standing${paused}`;

/** The limits of the tasks in a list, and of the queue. */
const limitsOf = ({ json, oneFrom }: Dialect, list: string): string =>
  `SELECT 'limit', name, max, rate_count, rate_per_ms, tat, CAST(NULL AS text), (SELECT count(*) FROM (SELECT 1 FROM slots WHERE slots.name = limits.name LIMIT $4) AS held),
      paused_at, paused_by, pause_reason
    FROM limits WHERE name ${oneFrom(`SELECT $3 UNION ALL SELECT item.value FROM ${list} CROSS JOIN ${json.items('options', 'limitNames')}`)}`;

const taskColumns = 'task.priority, task.due_at, task.id, task.options';

/**
 * Inputs: now, queue, name of its limit, slots to count, groups in front, which are as many as tasks are wanted, tasks of each of them,
 * list of closed limits, further groups, the group behind which these are (turn, since, name), tasks to look through in each of them. The groups in front,
 * and as many that are paused, with their first tasks; as many tasks without a group as are wanted; and of further groups the first that carries no closed limit, until there
 * are as many as are wanted.
 */
const poolOf = statement<PoolRow>(
  'peek_pool',
  (dialect) => `WITH front AS MATERIALIZED (${standing(0, '', '$5')} UNION ALL ${standing(1, '', '$5')}),
    further AS MATERIALIZED (
      SELECT standing0.grp, turn, since, COALESCE(weight, 1) AS weight, task.${dialect.row} AS row, ${taskColumns}
        FROM (${standing(0, 'AND (turn, since, grp) > ($9, $10, $11)', '$8')}) AS standing0
          LEFT JOIN groups ON groups.name ${dialect.keyed('standing0.grp')}
          JOIN tasks AS task ON task.${dialect.row} ${dialect.keyed(`(SELECT row FROM
            (SELECT ${dialect.row} AS row, options, priority, due_at, id FROM tasks WHERE queue = $2 AND grp = standing0.grp AND ${inTime} ${inOrder} LIMIT $12) AS looked
            WHERE NOT ${dialect.json.hasAny('options', 'limitNames', '$7')} ${inOrder} LIMIT 1)`)}
        WHERE NOT EXISTS (SELECT 1 FROM front AS known WHERE known.grp = standing0.grp)
        ORDER BY turn, since, standing0.grp LIMIT $5),
    plain AS MATERIALIZED (SELECT ${dialect.row} AS row, priority, due_at, id, options FROM tasks
      WHERE queue = $2 AND grp IS NULL AND ${inTime} ${inOrder} LIMIT $5),
    pool AS MATERIALIZED (
      SELECT CASE WHEN standing = 1 THEN 'paused' ELSE 'task' END AS kind, front.grp, turn, since, COALESCE(weight, 1) AS weight, task.${dialect.row} AS row, ${taskColumns}
        FROM front LEFT JOIN groups ON groups.name ${dialect.keyed('front.grp')}
          ${dialect.tasksOf(`WHERE queue = $2 AND grp = front.grp AND ${inTime} ${inOrder} LIMIT $6`)}
      UNION ALL SELECT 'task', NULL, 0, 0, 1, row, priority, due_at, id, options FROM plain
      UNION ALL SELECT 'further', grp, turn, since, weight, row, priority, due_at, id, options FROM further
    )
    SELECT kind, grp, turn, since, weight, 0, row, priority, due_at, id, options FROM pool
    UNION ALL SELECT 'front', NULL, (SELECT count(*) FROM front WHERE standing = 0), 0, 0, 0, NULL, 0, 0, NULL, NULL
    UNION ALL ${limitsOf(dialect, 'pool')}`,
);

export interface PoolRequest {
  readonly now: number;
  readonly queue: string;
  readonly limitName: string;
  /** Tasks. */
  readonly wanted: number;
  /** The tasks without a group stand there. */
  readonly plain: StandingGroup;
}

/** What one first look has shown to be too little. */
export interface PoolMore {
  /** Tasks of each group. */
  readonly each: number;
  readonly closed: readonly string[];
  /** Whether further groups are looked at, behind where an earlier claim of this process has stopped. */
  readonly isFurther: boolean;
}

/** At first one task of each group, which is enough where there are many of them and nothing is full. */
export async function readPool(
  tx: SqlTransaction,
  { now, queue, limitName, wanted, plain }: PoolRequest,
  { turnPlaces }: Pick<Memory, 'turnPlaces'>,
  more: PoolMore | null = null,
): Promise<Pool> {
  const earlier = turnPlaces.get(queue);
  // Where nobody has stopped the answer leaves out those that are in front.
  const from = earlier ?? { turn: -1, since: 0, group: '' };
  const further = limits.claimGroupsMax + (earlier === undefined ? wanted : 0);
  const each = more?.each ?? 1;
  const rows = await tx.query(
    poolOf,
    ...[now, queue, limitName, limits.limitSlotsMax, wanted, each, JSON.stringify(more?.closed ?? [])],
    ...[more?.isFurther === true ? further : 0, from.turn, from.since, from.group ?? '', limits.claimHeadMax],
  );
  const lanes = new Map<string | null, PoolLane & { readonly tasks: Candidate[] }>();
  const known = new Map<string, LookedLimit>();
  let front = 0;
  for (const row of rows) {
    const [kind, grp, turn, since, weight, , address, priority, dueAt, id, options] = row;
    if (kind === 'limit') addLimit(known, row);
    else if (kind === 'front') front = turn;
    else {
      const stand = grp === null ? plain : { group: grp, turn, since };
      const isWhole = kind !== 'further';
      const lane = lanes.get(grp) ?? { ...stand, weight, isPaused: kind === 'paused', isWhole, tasks: [] };
      lanes.set(grp, lane);
      lane.tasks.push(candidateOf(address ?? '', [priority, dueAt, id ?? ''], options));
    }
  }
  return {
    lanes: [...lanes.values()].map((lane) => {
      const isWhole = lane.isWhole && lane.tasks.length < (lane.group === null ? wanted : each);
      return { ...lane, isWhole, tasks: inOrderOf(lane.tasks) };
    }),
    limits: known,
    isCut: front >= wanted && more?.isFurther !== true,
    isDeep: more !== null,
  };
}

function candidateOf(address: RowAddress, place: Place, options: string | null): Candidate {
  return { address, place, rules: rulesOf(options), row: null, isLocked: false };
}

/** In the columns of a task. */
function addLimit(known: Map<string, LookedLimit>, row: PoolRow): void {
  const [, name, max, count, perMs, tat, , held, pausedAt, pausedBy, reason] = row as unknown as readonly [
    kind: 'limit',
    name: string,
    max: number | null,
    count: number | null,
    perMs: number | null,
    tat: number,
    none: null,
    held: number,
    pausedAt: number | null,
    pausedBy: string | null,
    reason: string | null,
  ];
  known.set(name, [name, max, count, perMs, tat, 0, pausedAt, pausedBy, reason, held]);
}

/** The lanes of a pool as a claim has them, in the order of their turns: where they stand, and what of their tasks is left. */
export function lanesOf(
  { lanes }: Pool,
  queue: string,
  leftOf: (lane: PoolLane) => { readonly stand: StandingGroup; readonly tasks: readonly Candidate[] } | null,
): readonly Lane[] {
  return lanes
    .flatMap((lane): readonly Lane[] => {
      const left = leftOf(lane);
      if (left === null) return [];
      const { group, turn, since } = left.stand;
      return [
        {
          ...newLane(queue, group, turn, since, lane.weight),
          candidates: [...left.tasks],
          after: lane.tasks.at(-1)?.place ?? start,
          done: lane.isWhole,
        },
      ];
    })
    .sort((lane, other) => (isServedBefore(lane, other) ? -1 : 1));
}

/** Stretches of one read behind full limits: two of what has no group, since an earlier claim may have stopped further on, and of so many groups. */
const groupsDeep = 12;

const stretch = (dialect: Dialect, group: string, [priority, dueAt, id]: readonly [string, string, string]): string =>
  `SELECT * FROM (SELECT * FROM (SELECT grp, ${dialect.row} AS row, priority, due_at, id, options FROM tasks
      WHERE queue = $2 AND ${group} AND (priority, due_at, id) > (${priority}, ${dueAt}, ${id}) AND ${inTime} ${inOrder} LIMIT $6) AS looked
    WHERE NOT ${dialect.json.hasAny('options', 'limitNames', '$5')} ${inOrder} LIMIT $7) AS open`;

const place = (from: number) => [`$${from}`, `$${from + 1}`, `$${from + 2}`] as const;

/**
 * Inputs: now, queue, name of its limit, slots to count, list of closed limits, tasks to look through and tasks to answer of each stretch, the
 * places behind which two of what has no group begin, and groups each with such a place. Without those that carry a closed limit.
 */
const deepOf = statement<PoolRow>(
  'peek_deep',
  (dialect) => `WITH pool AS MATERIALIZED (
      ${[
        ...[8, 11].map((from) => stretch(dialect, 'grp IS NULL', place(from))),
        ...Array.from({ length: groupsDeep }, (_, index) => 14 + 4 * index).map((from) =>
          stretch(dialect, `grp = $${from}`, place(from + 1)),
        ),
      ].join(' UNION ALL ')})
    SELECT 'task', grp, 0, 0, 0, 0, row, priority, due_at, id, options FROM pool
    UNION ALL ${limitsOf(dialect, 'pool')}`,
);

/** Behind every place. */
const end: Place = [100, 0, ''];

export interface DeepRequest {
  readonly now: number;
  readonly queue: string;
  readonly limitName: string;
  readonly closed: readonly string[];
  /** Of each stretch. */
  readonly most: number;
}

/** Reads on in the first of the lanes, as many as one read can, which have nothing more behind that; adds the limits that it meets. */
export async function readDeep(
  tx: SqlTransaction,
  { now, queue, limitName, closed, most }: DeepRequest,
  lanes: readonly Lane[],
  { known, places }: { readonly known: Map<string, LookedLimit>; readonly places: Memory['places'] },
): Promise<void> {
  const plain = lanes.find(({ group }) => group === null);
  const groups = lanes.filter(({ group }) => group !== null).slice(0, groupsDeep);
  const earlier = plain === undefined ? undefined : places.get(keyOf(plain));
  const resumed = plain !== undefined && earlier !== undefined && comesBefore(plain.after, earlier) ? earlier : end;
  // As far as all reads of one claim together.
  const stretches = Math.max(1, groups.length + (plain === undefined ? 0 : 1));
  const scan = Math.floor((limits.claimReadsMax * limits.claimScanMax) / stretches);
  const rows = await tx.query(
    deepOf,
    ...[now, queue, limitName, limits.limitSlotsMax, JSON.stringify(closed), scan, most],
    ...(plain?.after ?? end),
    ...resumed,
    ...Array.from({ length: groupsDeep }, (_, index) => groups[index]).flatMap((lane) => [
      lane?.group ?? '',
      ...(lane?.after ?? end),
    ]),
  );
  const found = new Map<string | null, Map<RowAddress, Candidate>>();
  for (const row of rows) {
    const [kind, grp, , , , , address, priority, dueAt, id, options] = row;
    if (kind === 'limit') addLimit(known, row);
    else {
      const tasks = found.get(grp) ?? new Map<RowAddress, Candidate>();
      found.set(grp, tasks);
      tasks.set(address ?? '', candidateOf(address ?? '', [priority, dueAt, id ?? ''], options));
    }
  }
  for (const lane of lanes) {
    lane.candidates.push(...inOrderOf(found.get(lane.group)?.values() ?? []));
    lane.done = true;
  }
}

function inOrderOf(tasks: Iterable<Candidate>): readonly Candidate[] {
  return [...tasks].sort(({ place: one }, other) => (comesBefore(one, other.place) ? -1 : 1));
}
