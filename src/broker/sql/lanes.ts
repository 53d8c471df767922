/** The queued tasks of one group of one queue, read as far as a claim needs them: on behind those whose limits are full. */

import { limits } from '../../core/limits.ts';
import type { LimitRule } from '../../core/task.ts';
import type { StandingGroup } from '../../core/turns.ts';
import { type RowAddress, statement } from './driver.ts';
import type { Gate } from './limits.ts';
import { decodeOptions, type TaskRow, taskColumns } from './rows.ts';
import type { Step } from './step.ts';

/** Where a task stands in its group: priority, due time, id. */
export type Place = readonly [priority: number, dueAt: number, id: string];

/** Before the first one. */
export const start: Place = [-1, 0, ''];

/** A whole row with its number. */
export type ClaimableRow = readonly [...TaskRow, row: RowAddress];

/** A task that may be claimed. */
export interface Candidate {
  readonly address: RowAddress;
  readonly place: Place;
  readonly rules: readonly LimitRule[];
  /** What was read of it already. */
  readonly row: ClaimableRow | null;
  /** Whether the row was locked as it was read. */
  readonly isLocked: boolean;
}

/** One group of a demanded queue, or what has no group in it, on the way through its tasks. */
export interface Lane extends StandingGroup {
  readonly queue: string;
  readonly weight: number;
  turn: number;
  since: number;
  served: boolean;
  candidates: Candidate[];
  /** The last place that was looked at, and that the next read begins behind. */
  looked: Place;
  after: Place;
  /** Whether nothing more will be read from it. */
  done: boolean;
  /** Whether its end was seen. */
  ended: boolean;
  /** Whether it was read on behind full limits, and whether that began where an earlier claim had stopped. */
  hasLooked: boolean;
  resumed: boolean;
  /** Where that is, until the one look on the way there was done. */
  jump: Place | null;
}

/** Nothing of it is read yet. */
export function newLane(queue: string, group: string | null, turn: number, since: number, weight: number): Lane {
  return {
    queue,
    group,
    turn,
    since,
    weight,
    served: false,
    candidates: [],
    looked: start,
    after: start,
    done: false,
    ended: false,
    hasLooked: false,
    resumed: false,
    jump: null,
  };
}

/** Further inputs behind the condition for the group: now, queue, place. What is claimable behind the place, in claim order. */
const behind = (group: string): string => `FROM tasks
    WHERE queue = $2 AND state = 'queued' AND (priority, due_at, id) > ($3, $4, $5)
      AND (start_by IS NULL OR start_by > $1) AND (expires_at IS NULL OR expires_at > $1) AND ${group}
      AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $2 AND paused_at IS NOT NULL)
    ORDER BY priority, due_at, id`;

type SlimRow = [row: RowAddress, priority: number, dueAt: number, id: string, options: string | null];

/** Inputs: now, queue, place, tasks to look through, list of closed limits, limit, group. Without those that carry a closed limit. */
const tasksBehind = (name: string, group: string) =>
  statement<SlimRow>(
    name,
    (dialect) => `SELECT row, priority, due_at, id, options
    FROM (SELECT ${dialect.row} AS row, priority, due_at, id, options ${behind(group)} LIMIT $6) AS looked
    WHERE NOT ${dialect.json.hasAny('options', 'limitNames', '$7')}
    ORDER BY priority, due_at, id LIMIT $8`,
  );

/** Inputs: now, queue, place, tasks to step over, group. */
const placeBehind = (name: string, group: string) =>
  statement<[priority: number, dueAt: number, id: string]>(
    name,
    () => `SELECT priority, due_at, id ${behind(group)} LIMIT 1 OFFSET $6`,
  );

const plain = {
  tasks: tasksBehind('tasks_behind', 'grp IS NULL'),
  place: placeBehind('place_behind', 'grp IS NULL'),
} as const;
const grouped = {
  tasks: tasksBehind('group_tasks_behind', 'grp = $9'),
  place: placeBehind('group_place_behind', 'grp = $7'),
} as const;

/** Whether a task carries limits, told from its text alone: most tasks do not, and pay no more than this. */
export function carriesLimits(options: string | null): boolean {
  // Within a string of JSON the quotes would be escaped.
  return options?.includes('"limitNames":[') ?? false;
}

export function candidateOf(row: ClaimableRow, isLocked: boolean): Candidate {
  return { address: row[36], place: [row[5], row[13], row[0]], rules: rulesOf(row[29]), row, isLocked };
}

const noRules: readonly LimitRule[] = [];

/** The rules of a task, by what its row says. */
export function rulesOf(options: string | null): readonly LimitRule[] {
  return carriesLimits(options) ? decodeOptions(options).limits : noRules;
}

/** Whether the left place comes before the right one. */
export function comesBefore([priority, dueAt, id]: Place, other: Place): boolean {
  return priority < other[0] || (priority === other[0] && (dueAt < other[1] || (dueAt === other[1] && id < other[2])));
}

/** Reads the next tasks of the lane, `most` at a time, without those that carry one of the `closed` limits. */
export async function readOn(
  step: Step,
  lane: Lane,
  gate: Gate,
  { closed, most }: { readonly closed: readonly string[]; readonly most: number },
): Promise<void> {
  if (closed.length > 0) goOn(step, lane);
  lane.looked = lane.after;
  const inputs = [step.now, lane.queue, ...lane.after] as const;
  const rows = await readOpen(step, lane, closed, most);
  lane.candidates = rows.map(([address, priority, dueAt, id, options]) => ({
    address,
    place: [priority, dueAt, id],
    rules: rulesOf(options),
    row: null,
    isLocked: false,
  }));
  await gate.load(lane.candidates.flatMap(({ rules }) => rules));
  const last = lane.candidates.at(-1);
  if (last !== undefined && rows.length === most) lane.after = last.place;
  // Nothing was left out, and yet there were fewer than were asked for.
  else if (closed.length === 0) endLane(lane);
  else {
    const [end] =
      lane.group === null
        ? await step.tx.query(plain.place, ...inputs, limits.claimScanMax - 1)
        : await step.tx.query(grouped.place, ...inputs, limits.claimScanMax - 1, lane.group);
    if (end === undefined) endLane(lane);
    else lane.after = end;
  }
  if (lane.jump === null) return;
  if (!lane.ended && comesBefore(lane.after, lane.jump)) step.between.set(keyOf(lane), lane.after);
  else step.between.delete(keyOf(lane));
}

async function readOpen(
  { tx, now }: Step,
  { queue, group, after }: Lane,
  closed: readonly string[],
  most: number,
): Promise<readonly SlimRow[]> {
  const values = [now, queue, ...after, limits.claimScanMax, JSON.stringify(closed), most] as const;
  return group === null ? await tx.query(plain.tasks, ...values) : await tx.query(grouped.tasks, ...values, group);
}

/**
 * Goes on where an earlier claim stopped, with one look on the way, each time further on: a limit may have opened there, and be seen by
 * nobody while there is always enough to claim behind.
 */
function goOn(step: Step, lane: Lane): void {
  if (lane.jump !== null) {
    if (comesBefore(lane.after, lane.jump)) lane.after = lane.jump;
    lane.jump = null;
  }
  if (lane.hasLooked) return;
  lane.hasLooked = true;
  const earlier = step.places.get(keyOf(lane));
  if (earlier === undefined || !comesBefore(lane.after, earlier)) return;
  lane.resumed = true;
  lane.jump = earlier;
  const between = step.between.get(keyOf(lane));
  if (between !== undefined && comesBefore(lane.after, between) && comesBefore(between, earlier)) lane.after = between;
}

function endLane(lane: Lane): void {
  lane.done = true;
  lane.ended = true;
}

/** Groups whose place is remembered: as many as a process may lose without a thought. */
const placesMax = 1_000;

/**
 * Lets the next claim of this process go on behind what was looked through, until the end of the lane was seen and nothing was
 * left to claim before it.
 */
export function remember(step: Step, lane: Lane): void {
  const key = keyOf(lane);
  if (lane.ended && lane.candidates.length === 0) {
    step.places.delete(key);
    step.between.delete(key);
  } else if (lane.resumed) {
    if (step.places.size >= placesMax) step.places.clear();
    if (step.between.size >= placesMax) step.between.clear();
    step.places.set(key, lane.jump ?? (lane.candidates.length === 0 ? lane.after : lane.looked));
  }
}

/** By what the places of a process are kept. */
export function keyOf({ queue, group }: Pick<Lane, 'queue' | 'group'>): string {
  return group === null ? queue : `${queue}\0${group}`;
}

/** Input: list of row numbers. Locks: the rows. */
const queuedRows = statement<[...TaskRow, row: RowAddress]>(
  'queued_rows',
  (dialect) =>
    `SELECT ${taskColumns}, ${dialect.row} FROM tasks WHERE ${dialect.row} ${dialect.oneOf('$1', 'row')} AND state = 'queued'${dialect.skipLocked}`,
);

/**
 * The whole rows, in the same order. Those that another transaction took in the meantime are not among them: `isShared` tells
 * whether there may be one.
 */
export async function readRows(
  step: Step,
  taken: readonly Candidate[],
  isShared: boolean,
): Promise<readonly ClaimableRow[]> {
  const isUnsure = ({ row, isLocked }: Candidate): boolean => row === null || (isShared && !isLocked);
  const further = taken.filter(isUnsure).map(({ address }) => address);
  if (further.length === 0) return taken.flatMap(({ row }) => (row === null ? [] : [row]));
  const read = new Map<RowAddress, ClaimableRow>();
  for (const row of await step.tx.query(queuedRows, JSON.stringify(further))) read.set(row[36], row);
  return taken.flatMap((candidate) => {
    const row = isUnsure(candidate) ? read.get(candidate.address) : candidate.row;
    return row == null ? [] : [row];
  });
}
