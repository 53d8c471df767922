/** peek: what a claim would take of a queue and what waits behind that, chosen as a claim chooses, without a lock and with nothing stored. */

import { queueRule } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import { isServedBefore, type StandingGroup } from '../../core/turns.ts';
import type { Peek } from '../broker.ts';
import { pickFrom } from './choose.ts';
import { type RowAddress, type SqlTransaction, statement } from './driver.ts';
import type { Candidate, Lane } from './lanes.ts';
import { createGate, type Gate, lookAtLimits, openGate } from './limits.ts';
import { type Line, readLine } from './lines.ts';
import type { ReadClock } from './looks.ts';
import { lanesOf, type Pool, type PoolRequest, readDeep, readPool } from './peek-pool.ts';
import { createStep, type Memory, type Step } from './step.ts';
import type { Round } from './turns.ts';

type QueueRow = [
  lastAt: number | null,
  wallMs: number,
  paused: number,
  limited: number,
  turn: number | null,
  plainTurn: number | null,
  plainSince: number | null,
  /** Of a scheduled task, and when it is due. */
  scheduledId: string | null,
  dueAt: number,
];

/** Inputs: queue, the clock as this process knows it, tasks to look through, limit. One row of the queue, and those of its scheduled tasks. */
const peekedQueue = statement<QueueRow>(
  'peeked_queue',
  (dialect) => `SELECT (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock('$2')},
      CASE WHEN EXISTS (SELECT 1 FROM queues WHERE name = $1 AND paused_at IS NOT NULL) THEN 1 ELSE 0 END,
      CASE WHEN EXISTS (SELECT 1 FROM queues WHERE name = $1 AND limited = 1) THEN 1 ELSE 0 END,
      turn, plain_turn, plain_since, CAST(NULL AS text), 0
    FROM (SELECT 1 AS one) AS one LEFT JOIN rounds ON rounds.queue = $1
    UNION ALL SELECT 0, 0, 0, 0, 0, 0, 0, id, due_at FROM (SELECT id, due_at FROM
      (SELECT id, queue, due_at FROM tasks WHERE state = 'scheduled' AND due_at >= 0 ORDER BY due_at, id LIMIT $3) AS looked
      WHERE queue = $1 ORDER BY due_at, id LIMIT $4) AS scheduled`,
);

/** A claim of this process would go on where its last one stopped behind full limits: so does this. In four statements at most. */
export async function peek(
  tx: SqlTransaction,
  { queue, limit }: { readonly queue: string; readonly limit: number },
  { clock, memory }: { readonly clock: ReadClock; readonly memory: Memory },
): Promise<Peek> {
  const most = Math.min(limit, limits.peekMax);
  if (most <= 0) return { next: [], held: [], scheduled: [] };
  const rows = await tx.query(peekedQueue, queue, tx.ownMs(), limits.peekScheduledMax, most);
  const row = rows.find(([, , , , , , , scheduledId]) => scheduledId === null);
  if (row === undefined) return { next: [], held: [], scheduled: [] };
  const [lastAt, wallMs, isPaused, isLimited] = row;
  const step = createStep(tx, clock(lastAt, wallMs), memory);
  const look = await lookInto(step, { queue, most, round: roundOf(queue, row), isLimited: isLimited === 1 });
  const { next, closed } = isPaused ? nothing : await nextOf(look);
  const isHeld = isPaused || closed > 0 || look.pool.lanes.some((lane) => lane.isPaused);
  const held = isHeld ? await heldBehind(look, next) : [];
  const scheduled = rows.flatMap(([, , , , , , , id, dueAt]) => (id === null ? [] : [{ id, dueAt }]));
  return {
    next: next.map(idOf),
    held: held.map(idOf),
    scheduled: scheduled
      .sort((one, other) => one.dueAt - other.dueAt || (one.id < other.id ? -1 : 1))
      .slice(0, most - next.length - held.length)
      .map(({ id }) => id),
  };
}

/** One look at a queue, and what it chooses from. */
interface Look {
  readonly step: Step;
  readonly request: PoolRequest;
  readonly isLimited: boolean;
  /** `null` where the queue has no groups. */
  round: Round | null;
  pool: Pool;
  /** Where groups stand that were served by what was chosen already. */
  moved: ReadonlyMap<string | null, StandingGroup>;
  /** Whether it has read on in some groups. */
  isReadOn: boolean;
}

interface Next {
  readonly next: readonly Candidate[];
  /** Limits that let nobody through. */
  readonly closed: number;
}
const nothing: Next = { next: [], closed: 0 };

async function lookInto(
  step: Step,
  given: Pick<Look, 'round' | 'isLimited'> & { readonly queue: string; readonly most: number },
): Promise<Look> {
  const { queue, most, round, isLimited } = given;
  const plain = { group: null, turn: round?.plain.turn ?? 0, since: round?.plain.since ?? 0 };
  const request = { now: step.now, queue, limitName: queueRule(queue).name, wanted: most, plain };
  const pool = await readPool(step.tx, request, step);
  return { step, request, isLimited, round, pool, moved: new Map(), isReadOn: false };
}

async function nextOf(look: Look): Promise<Next> {
  const { queue } = look.request;
  const gateOf = () => createGate(look.step, lookAtLimits(look.pool.limits));
  const chosen = await choose(look, look.request.wanted, () => ({
    gate: gateOf(),
    gone: new Set(),
    rule: look.isLimited ? queueRule(queue) : null,
    lanes: lanesOf(look.pool, queue, (lane) => (lane.isPaused ? null : { stand: lane, tasks: lane.tasks })),
  }));
  const served = chosen.line.read.filter((lane) => lane.served);
  look.moved = new Map(served.map(({ group, turn, since }) => [group, { group, turn, since }]));
  look.round = chosen.line.round;
  return { next: chosen.taken, closed: chosen.gate.closed.size };
}

/** What would be next if everything were open, once the first ones are gone. */
async function heldBehind(look: Look, next: readonly Candidate[]): Promise<readonly Candidate[]> {
  const limit = look.request.wanted - next.length;
  if (limit <= 0) return [];
  const gone = new Set<RowAddress>(next.map(({ address }) => address));
  const chosen = await choose(look, limit, () => ({
    gate: openGate,
    gone,
    rule: null,
    lanes: lanesOf(look.pool, look.request.queue, (lane) => ({
      stand: look.moved.get(lane.group) ?? lane,
      tasks: lane.tasks.filter(({ address }) => !gone.has(address)),
    })),
  }));
  return chosen.taken;
}

/** From what a choice is made. */
interface From {
  readonly gate: Gate;
  readonly gone: ReadonlySet<RowAddress>;
  readonly rule: Line['rule'];
  readonly lanes: readonly Lane[];
}

/** Chooses from the first look, and anew from a larger one where that was too little. */
async function choose(
  look: Look,
  limit: number,
  from: () => From,
): Promise<From & { readonly line: Line; readonly taken: readonly Candidate[] }> {
  for (;;) {
    const given = from();
    let isShort = false;
    const line = readLine(
      // What is served moves it on.
      { queue: look.request.queue, round: look.round && { ...look.round }, rule: given.rule, left: limit },
      given.lanes,
      async (own, gate) => {
        if (look.pool.isDeep) return readOn(look, own, gate);
        isShort = true;
        own.lanes.length = 0;
      },
    );
    const taken = await pickFrom(look.step, [line], { gate: given.gate, limit, held: given.gone });
    const isCut = look.pool.isCut && taken.length < limit && (given.gate.closed.size > 0 || !isShort);
    if (look.pool.isDeep || !(isShort || isCut)) return { ...given, line, taken };
    const each = eachOf(look.request.wanted, look.pool.lanes.length);
    // Behind the first tasks others may be met that are full.
    const more = { each, closed: [...given.gate.closed], isFurther: look.pool.isCut };
    look.pool = await readPool(look.step.tx, look.request, look.step, more);
  }
}

/** Tasks of each group: twice its share and some more, since some have more weight and some tasks stand behind full limits; of few groups as many as are read quickly. */
function eachOf(wanted: number, groups: number): number {
  const share = Math.ceil((2 * wanted) / Math.max(1, groups)) + 4;
  return Math.min(wanted, Math.max(share, Math.floor(tasksQuick / Math.max(1, groups))));
}

/** A millisecond or two. */
const tasksQuick = 600;

/** Reads on once, in the lanes that have nothing left first, and in those whose turn it is behind where the last claim has read on. */
async function readOn(look: Look, line: Line, gate: Gate): Promise<void> {
  const { step, request, pool } = look;
  const open = line.lanes.filter(({ done }) => !done);
  if (look.isReadOn) {
    for (const lane of open) lane.done = true;
    return;
  }
  look.isReadOn = true;
  const [first, ...others] = open.filter(({ candidates }) => candidates.length === 0);
  const earlier = step.readOn.get(request.queue);
  const isLater = (lane: Lane): boolean => earlier === undefined || isServedBefore(earlier, lane);
  const lanes = [
    ...(first === undefined ? [] : [first]),
    ...others.filter(isLater),
    ...others.filter((lane) => !isLater(lane)),
    ...open.filter(({ candidates }) => candidates.length > 0),
  ];
  const asked = { ...request, closed: [...gate.closed], most: request.wanted };
  await readDeep(step.tx, asked, lanes, { known: pool.limits, places: step.places });
  await gate.load(lanes.flatMap(({ candidates }) => candidates.flatMap(({ rules }) => rules)));
}

function roundOf(queue: string, [, , paused, , turn, plainTurn, plainSince]: QueueRow): Round | null {
  if (turn === null) return null;
  const plain = { turn: plainTurn ?? 0, since: plainSince ?? 0 };
  return { queue, turn, plain, isPaused: Boolean(paused), isServed: false };
}

function idOf({ place: [, , id] }: Candidate): string {
  return id;
}
