/** One demanded queue during a claim: its groups in the order of their turns, read as far as they are needed. */

import { limits } from '../../core/limits.ts';
import type { LimitRule } from '../../core/task.ts';
import { isServedBefore, type StandingGroup, takeTurn } from '../../core/turns.ts';
import { type RowAddress, statement } from './driver.ts';
import { type ClaimableRow, candidateOf, type Lane, newLane, readOn, start } from './lanes.ts';
import type { Gate } from './limits.ts';
import { type TaskRow, taskColumns } from './rows.ts';
import type { Step } from './step.ts';
import type { Round } from './turns.ts';

export interface Line {
  readonly queue: string;
  /** `null` where the queue has no groups: then it is one lane. */
  readonly round: Round | null;
  /** What every task of the queue carries beside its own limits. */
  readonly rule: LimitRule | null;
  /** Brings more of a lane; `null` is from the store as claims do. */
  readonly readFurther: ((line: Line, gate: Gate) => Promise<void>) | null;
  /** What may still be claimed from it. */
  left: number;
  /** In the order of their turns, those that may still have a task. */
  readonly lanes: Lane[];
  /** All that were read, also those that have nothing more. */
  readonly read: Lane[];
  /** Groups that were read and had nothing claimable. */
  readonly empty: string[];
  /** The last group that was read; `null` when there are no others. */
  last: StandingGroup | null;
  /** Groups asked for by the last read, read by all of them, and the most that are. */
  asked: number;
  groups: number;
  readonly groupsMax: number;
  /** Whether some task of it was seen to carry a limit: else it is read as if none were full, whatever other queues met. */
  hasLimits: boolean;
  /** Reads behind full limits, and the group of the last one. */
  reads: number;
  readOn: StandingGroup | null;
  /** Whether the reading of groups was resumed where an earlier claim had stopped, or stops before the end. */
  resumed: boolean;
}

/** A queue without groups. `first` is what the plain claim found there; `done` when there is nothing else. */
export function plainLine(queue: string, left: number, first: readonly ClaimableRow[], done: boolean): Line {
  const candidates = first.map((row) => candidateOf(row, true));
  const lane = { ...newLane(queue, null, 0, 0, 1), candidates, after: candidates.at(-1)?.place ?? start, done };
  return newLine({ queue, round: null, rule: null, left }, lane, null);
}

/** A queue without groups, and with a limit of its own: nothing is read yet. */
export function unreadLine(queue: string, left: number, rule: LimitRule | null): Line {
  return newLine({ queue, round: null, rule, left }, newLane(queue, null, 0, 0, 1), null);
}

/** A queue with groups: nothing is read yet. */
export function groupedLine(round: Round, left: number, rule: LimitRule | null): Line {
  const { turn, since } = round.plain;
  const lane = newLane(round.queue, null, turn, since, 1);
  return newLine({ queue: round.queue, round, rule, left }, lane, { group: null, turn: -1, since: 0 });
}

/** A queue of which all was read that is chosen from, but for what `readOn` brings of lanes that have more: for who only looks. */
export function readLine(
  line: Pick<Line, 'queue' | 'round' | 'rule' | 'left'>,
  lanes: readonly Lane[],
  readFurther: NonNullable<Line['readFurther']>,
): Line {
  const { queue } = line;
  const begun = newLine(line, newLane(queue, null, 0, 0, 1), null);
  return { ...begun, lanes: [...lanes], read: [...lanes], readFurther };
}

function newLine(line: Pick<Line, 'queue' | 'round' | 'rule' | 'left'>, lane: Lane, last: StandingGroup | null): Line {
  const groupsMax = line.left + limits.claimGroupsMax;
  const hasLimits = line.rule !== null || hasRules(lane);
  const begun = { asked: 0, groups: 0, groupsMax, hasLimits, reads: 0, readOn: null, resumed: false };
  return { ...line, readFurther: null, lanes: [lane], read: [lane], empty: [], last, ...begun };
}

/** The lane whose first candidate is next in this queue; `null` when there is none. */
export async function nextLane(step: Step, line: Line, gate: Gate): Promise<Lane | null> {
  for (;;) {
    const [lane] = line.lanes;
    if (line.last !== null && (lane === undefined || isServedBefore(line.last, lane)))
      await readGroups(step, line, gate);
    else if (lane === undefined) return null;
    else if (lane.candidates.length > 0) return lane;
    else if (lane.done) line.lanes.shift();
    else if (line.readFurther !== null) await line.readFurther(line, gate);
    else await readLane(step, line, lane, gate);
  }
}

/** Counts a claimed task against the group, which then stands elsewhere. */
export function serve(step: Step, line: Line, lane: Lane): void {
  line.left -= 1;
  if (line.round === null) return;
  const next = takeTurn(line.round.turn, lane.turn, lane.weight);
  line.round.turn = next.queue;
  line.round.isServed = true;
  Object.assign(lane, { turn: next.group, since: step.now, served: true });
  if (lane.group === null) line.round.plain = { turn: lane.turn, since: lane.since };
  line.lanes.shift();
  insert(line.lanes, lane);
}

/** By halves: a claim has up to a thousand lanes and moves one with every task. */
function insert(lanes: Lane[], lane: Lane): void {
  let from = 0;
  for (let to = lanes.length; from < to; ) {
    const middle = (from + to) >> 1;
    const other = lanes[middle];
    if (other !== undefined && isServedBefore(other, lane)) from = middle + 1;
    else to = middle;
  }
  lanes.splice(from, 0, lane);
}

const hasRules = ({ candidates }: Lane): boolean => candidates.some(({ rules }) => rules.length > 0);

/** The full limits that may hold back a task of this queue. */
const closedFor = (line: Line, gate: Gate): readonly string[] => (line.hasLimits ? [...gate.closed] : []);

async function readLane(step: Step, line: Line, lane: Lane, gate: Gate): Promise<void> {
  const closed = closedFor(line, gate);
  // With many groups each gives few tasks.
  const share = closed.length > 0 ? limits.claimChunkMax : Math.ceil((2 * line.left) / line.lanes.length) + 4;
  if (closed.length > 0) {
    if (!mayReadOn(step, line, lane)) {
      lane.done = true;
      // One that was not looked through goes on where it did before.
      lane.resumed = lane.hasLooked;
      return;
    }
    line.reads += 1;
    line.readOn = standingOf(lane);
  }
  await readOn(step, lane, gate, { closed, most: Math.min(share, limits.claimChunkMax) });
  line.hasLimits ||= hasRules(lane);
}

/** Behind full limits the first group is read on, and then those behind whom the last claim read on: each has its turn. */
function mayReadOn(step: Step, line: Line, lane: Lane): boolean {
  if (line.reads >= limits.claimReadsMax) return false;
  const earlier = step.readOn.get(line.queue);
  return line.reads === 0 || earlier === undefined || isServedBefore(earlier, lane);
}

/** Lets the next claim of this process read on in other groups, until there was a read left behind the last of them. */
export function rememberReads(step: Step, { queue, round, reads, readOn }: Line): void {
  if (round !== null && readOn !== null && reads >= limits.claimReadsMax) step.readOn.set(queue, readOn);
  else step.readOn.delete(queue);
}

type HeadRow = [...TaskRow, row: RowAddress, grp: string, turn: number, since: number, weight: number];

/** Inputs: now, queue, the last group (turn, since, name), limit. Each waiting group with its first claimable task, or NULLs. */
const groupHeads = (name: string, head: (parts: { readonly closed: string; readonly row: string }) => string) =>
  statement<HeadRow>(
    name,
    (dialect) => `SELECT ${taskColumns
      .split(', ')
      .map((column) => `head.${column.trim()}`)
      .join(', ')}, head.${dialect.row}, standing.grp, standing.turn, standing.since, COALESCE(groups.weight, 1)
    FROM (SELECT grp, turn, since FROM turns
        WHERE queue = $2 AND standing = 0 AND (turn, since, grp) > ($3, $4, $5) ORDER BY turn, since, grp LIMIT $6) AS standing
      LEFT JOIN groups ON groups.name ${dialect.keyed('standing.grp')}
      LEFT JOIN tasks AS head ON head.${dialect.row} ${dialect.keyed(
        `(${head({
          row: dialect.row,
          closed: dialect.json.hasAny('options', 'limitNames', '$8'),
        })})`,
      )}
    ORDER BY standing.turn, standing.since, standing.grp`,
  );

const claimableOfGroup = `FROM tasks WHERE queue = $2 AND grp = standing.grp AND state = 'queued'
  AND (check_at IS NULL OR check_at > $1) ORDER BY priority, due_at, id`;

const firstHeads = groupHeads('first_heads', ({ row }) => `SELECT ${row} ${claimableOfGroup} LIMIT 1`);

/** Further inputs: tasks to look through in each group, list of closed limits. The first task that carries none of them. */
const openHeads = groupHeads(
  'open_heads',
  ({
    closed,
    row,
  }) => `SELECT row FROM (SELECT ${row} AS row, options, priority, due_at, id ${claimableOfGroup} LIMIT $7) AS looked
    WHERE NOT ${closed} ORDER BY priority, due_at, id LIMIT 1`,
);

/** Reads the next groups with their first tasks. */
async function readGroups(step: Step, line: Line, gate: Gate): Promise<void> {
  const after = resume(step, line);
  // Groups whose limits are full are passed in larger and larger strides.
  const most = Math.min(limits.batchMax, Math.max(line.left, 2 * line.asked), line.groupsMax - line.groups);
  const inputs = [step.now, line.queue, after.turn, after.since, after.group ?? '', most] as const;
  const closed = closedFor(line, gate);
  const rows =
    closed.length === 0
      ? await step.tx.query(firstHeads, ...inputs)
      : await step.tx.query(openHeads, ...inputs, limits.claimHeadMax, JSON.stringify(closed));
  const lanes = rows.map((row) => laneOf(line, row, closed.length === 0));
  line.hasLimits ||= lanes.some(hasRules);
  line.read.push(...lanes);
  for (const lane of lanes) {
    if (!lane.done) insert(line.lanes, lane);
    else if (lane.group !== null) line.empty.push(lane.group);
  }
  await gate.load(lanes.flatMap(({ candidates }) => candidates.flatMap(({ rules }) => rules)));
  line.asked = most;
  line.groups += rows.length;
  const last = rows.at(-1);
  stop(step, line, rows.length < most || last === undefined ? null : storedStand(last));
}

/** Where the group of a row stands in its table. */
const storedStand = (row: HeadRow): StandingGroup => ({ group: row[37], turn: row[38], since: row[39] });

function laneOf(line: Line, row: HeadRow, isAll: boolean): Lane {
  const { turn, since } = storedStand(row);
  const lane = newLane(line.queue, row[37], turn, since, row[40]);
  if (row[0] === null) return { ...lane, done: isAll };
  const candidate = candidateOf(row as unknown as ClaimableRow, false);
  return { ...lane, candidates: [candidate], after: candidate.place };
}

/** Where the next read begins: behind the last one, or further on, where an earlier claim of this process has stopped. */
function resume(step: Step, line: Line): StandingGroup {
  const last = line.last ?? { group: null, turn: -1, since: 0 };
  const earlier = step.turnPlaces.get(line.queue);
  if (line.groups === 0 || line.resumed || earlier === undefined || !isServedBefore(last, earlier)) return last;
  line.resumed = true;
  return earlier;
}

/** Remembers where the reading of groups ends, when it ends before the last of them. */
function stop(step: Step, line: Line, last: StandingGroup | null): void {
  line.last = last;
  if (line.last === null) step.turnPlaces.delete(line.queue);
  else if (line.groups >= line.groupsMax) {
    step.turnPlaces.set(line.queue, line.last);
    line.last = null;
  }
}

function standingOf({ group, turn, since }: StandingGroup): StandingGroup {
  return { group, turn, since };
}
