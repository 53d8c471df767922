/** A claim among tasks with limits: goes on behind those whose limits are full, as far as its bounds allow. */

import { limits } from '../../core/limits.ts';
import type { LimitRule } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import type { ClaimableRow } from './claim.ts';
import { statement } from './driver.ts';
import { createGate, type Gate } from './limits.ts';
import { decodeOptions, type TaskRow, taskColumns } from './rows.ts';
import type { Step } from './step.ts';

/** Where a task stands in its queue: priority, due time, id. */
export type Place = readonly [priority: number, dueAt: number, id: string];

const start: Place = [-1, 0, ''];

/** Inputs: now, queue, place. What is claimable behind the place, in claim order. */
const behind = `FROM tasks
    WHERE queue = $2 AND state = 'queued' AND (priority, due_at, id) > ($3, $4, $5)
      AND (start_by IS NULL OR start_by > $1) AND (expires_at IS NULL OR expires_at > $1)
      AND NOT EXISTS (SELECT 1 FROM queues WHERE queues.name = $2 AND paused_at IS NOT NULL)
    ORDER BY priority, due_at, id`;

/** Further inputs: tasks to look through, list of closed limits, limit. Without those that carry a closed limit. */
const tasksBehind = statement<[seq: number, priority: number, dueAt: number, id: string, options: string | null]>(
  'tasks_behind',
  (dialect) => `SELECT seq, priority, due_at, id, options
    FROM (SELECT seq, priority, due_at, id, options ${behind} LIMIT $6) AS looked
    WHERE NOT ${dialect.json.some('options', 'limitNames', (name) => `${name} IN ${dialect.list('$7')}`)}
    ORDER BY priority, due_at, id LIMIT $8`,
);

/** Further input: tasks to step over. */
const placeBehind = statement<[priority: number, dueAt: number, id: string]>(
  'place_behind',
  () => `SELECT priority, due_at, id ${behind} LIMIT 1 OFFSET $6`,
);

/** Input: list of row numbers. Locks: the rows. */
const queuedRows = statement<[...TaskRow, seq: number]>(
  'queued_rows',
  (dialect) =>
    `SELECT ${taskColumns}, seq FROM tasks WHERE seq IN ${dialect.list('$1', 'bigint')} AND state = 'queued'${dialect.skipLocked}`,
);

/** A task that may be claimed. */
interface Candidate {
  readonly seq: number;
  readonly place: Place;
  readonly rules: readonly LimitRule[];
}

/** One demanded queue on the way through it. */
interface Lane {
  readonly queue: string;
  /** What may still be claimed from it. */
  left: number;
  candidates: Candidate[];
  /** The last place that was looked at, and that the next read begins behind. */
  looked: Place;
  after: Place;
  reads: number;
  /** Nothing more will be read from it. */
  done: boolean;
  /** Whether its last read jumped to where an earlier claim had stopped. */
  resumed: boolean;
}

/** Whether a task carries limits, told from its text alone: most tasks do not, and pay no more than this. */
export function carriesLimits(options: string | null): boolean {
  // Within a string of JSON the quotes would be escaped.
  return options?.includes('"limitNames":[') ?? false;
}

/** Those of the queued tasks that their limits let through, with their slots and tokens taken. `first` is what the plain claim found. */
export async function passLimits(
  step: Step,
  request: ClaimRequest,
  first: readonly ClaimableRow[],
  limit: number,
): Promise<readonly ClaimableRow[]> {
  const lanes = lanesOf(request, first, limit);
  const gate = createGate(step);
  await gate.load(first.flatMap((row) => candidateOf(row).rules));
  const taken: Candidate[] = [];
  while (taken.length < limit) {
    const lane = await nextLane(step, lanes, gate);
    const candidate = lane?.candidates.shift();
    if (lane === null || candidate === undefined) break;
    lane.looked = candidate.place;
    if (!gate.admits(candidate.rules)) continue;
    gate.take(candidate.rules);
    lane.left -= 1;
    taken.push(candidate);
  }
  for (const lane of lanes) remember(step, lane);
  const rows = await readRows(step, taken, first);
  await gate.store(rows.map((row) => ({ id: row[0], limits: decodeOptions(row[29]).limits })));
  return rows;
}

function lanesOf(request: ClaimRequest, first: readonly ClaimableRow[], limit: number): readonly Lane[] {
  const demands = new Map<string, number>();
  for (const { name, limit: most } of request.queues) demands.set(name, Math.max(most, demands.get(name) ?? 0));
  return [...demands].map(([queue, left]): Lane => {
    const candidates = first.filter((row) => row[1] === queue).map(candidateOf);
    return {
      queue,
      left,
      candidates,
      looked: start,
      after: candidates.at(-1)?.place ?? start,
      reads: 0,
      // Fewer than were asked for: there are no others.
      done: first.length < limit && candidates.length < left,
      resumed: false,
    };
  });
}

function candidateOf(row: ClaimableRow): Candidate {
  return { seq: row[36], place: [row[5], row[13], row[0]], rules: rulesOf(row[29]) };
}

const noRules: readonly LimitRule[] = [];

function rulesOf(options: string | null): readonly LimitRule[] {
  return carriesLimits(options) ? decodeOptions(options).limits : noRules;
}

/** The lane whose next candidate comes first of all; `null` when there is none. */
async function nextLane(step: Step, lanes: readonly Lane[], gate: Gate): Promise<Lane | null> {
  let next: Lane | null = null;
  for (const lane of lanes) {
    if (lane.left <= 0) continue;
    while (lane.candidates.length === 0 && !lane.done) await readOn(step, lane, gate);
    const [place, best] = [lane.candidates[0]?.place, next?.candidates[0]?.place];
    if (place !== undefined && (best === undefined || comesBefore(place, best))) next = lane;
  }
  return next;
}

async function readOn(step: Step, lane: Lane, gate: Gate): Promise<void> {
  const earlier = step.places.get(lane.queue);
  if (lane.reads === 0 && earlier !== undefined && comesBefore(lane.after, earlier)) {
    lane.after = earlier;
    lane.resumed = true;
  }
  lane.reads += 1;
  lane.looked = lane.after;
  const closed = JSON.stringify([...gate.closed]);
  const inputs = [step.now, lane.queue, ...lane.after] as const;
  const rows = await step.tx.query(tasksBehind, ...inputs, limits.claimScanMax, closed, limits.claimChunkMax);
  lane.candidates = rows.map(([seq, priority, dueAt, id, options]) => ({
    seq,
    place: [priority, dueAt, id],
    rules: rulesOf(options),
  }));
  await gate.load(lane.candidates.flatMap(({ rules }) => rules));
  const last = lane.candidates.at(-1);
  if (last !== undefined && rows.length === limits.claimChunkMax) lane.after = last.place;
  else {
    const [end] = await step.tx.query(placeBehind, ...inputs, limits.claimScanMax - 1);
    if (end === undefined) {
      lane.done = true;
      step.places.delete(lane.queue);
      lane.resumed = false;
    } else lane.after = end;
  }
  if (!lane.done && lane.reads >= limits.claimReadsMax) {
    lane.done = true;
    lane.resumed = true;
  }
}

/** Lets the next claim of this process go on behind what was looked through, until the end of the queue was seen. */
function remember(step: Step, lane: Lane): void {
  if (lane.resumed) step.places.set(lane.queue, lane.candidates.length === 0 ? lane.after : lane.looked);
}

function comesBefore([priority, dueAt, id]: Place, other: Place): boolean {
  return priority < other[0] || (priority === other[0] && (dueAt < other[1] || (dueAt === other[1] && id < other[2])));
}

/** The whole rows, in claim order. Those that another transaction took in the meantime are not among them. */
async function readRows(
  step: Step,
  taken: readonly Candidate[],
  first: readonly ClaimableRow[],
): Promise<readonly ClaimableRow[]> {
  const known = new Map<number, ClaimableRow>();
  for (const row of first) known.set(row[36], row);
  const further = taken.filter(({ seq }) => !known.has(seq)).map(({ seq }) => seq);
  if (further.length > 0) {
    for (const row of await step.tx.query(queuedRows, JSON.stringify(further))) known.set(row[36], row);
  }
  return taken.map(({ seq }) => known.get(seq)).filter((row) => row !== undefined);
}
