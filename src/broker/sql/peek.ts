/** peek: what a claim would take of a queue and what waits behind that, chosen as a claim chooses, without a lock and with nothing stored. */

import { queueRule } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { LimitRule } from '../../core/task.ts';
import type { Turn } from '../../core/turns.ts';
import type { Peek } from '../broker.ts';
import { pickFrom } from './choose.ts';
import { type SqlTransaction, statement } from './driver.ts';
import type { Candidate } from './lanes.ts';
import { createGate, lookAtLimits, openGate } from './limits.ts';
import { groupedLine, type Line, readFirst, unreadLine } from './lines.ts';
import type { ReadClock } from './looks.ts';
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
  groupsPaused: number,
];

/** Inputs: queue, the clock as this process knows it. One row. */
const peekedQueue = statement<QueueRow>(
  'peeked_queue',
  (dialect) => `SELECT (SELECT at FROM events ORDER BY seq DESC LIMIT 1), ${dialect.clock('$2')},
      EXISTS (SELECT 1 FROM queues WHERE name = $1 AND paused_at IS NOT NULL), EXISTS (SELECT 1 FROM queues WHERE name = $1 AND limited = 1),
      turn, plain_turn, plain_since, EXISTS (SELECT 1 FROM turns WHERE turns.queue = $1 AND standing = 1)
    FROM (SELECT 1 AS one) AS one LEFT JOIN rounds ON rounds.queue = $1`,
);

/** Inputs: queue, tasks to look through, limit. */
const peekedScheduled = statement<[id: string]>(
  'peeked_scheduled',
  () => `SELECT id FROM (SELECT id, queue, due_at FROM tasks WHERE state = 'scheduled' AND due_at >= 0 ORDER BY due_at, id LIMIT $2) AS looked
    WHERE queue = $1 ORDER BY due_at, id LIMIT $3`,
);

/** A claim of this process would go on where its last one stopped behind full limits: so does this. */
export async function peek(
  tx: SqlTransaction,
  { queue, limit }: { readonly queue: string; readonly limit: number },
  { clock, memory }: { readonly clock: ReadClock; readonly memory: Memory },
): Promise<Peek> {
  const most = Math.min(limit, limits.peekMax);
  const [row] = most <= 0 ? [] : await tx.query(peekedQueue, queue, tx.ownMs());
  if (row === undefined) return { next: [], held: [], scheduled: [] };
  const [lastAt, wallMs, paused, limited, , , , groupsPaused] = row;
  const step = createStep(tx, clock(lastAt, wallMs), copyOf(memory));
  const line = lineOf(queue, roundOf(queue, row), { left: most, rule: limited ? queueRule(queue) : null });
  const gate = createGate(step, lookAtLimits);
  if (!paused && line.round === null && line.rule === null) await readFirst(step, line, gate);
  const next = await pickFrom(step, paused ? [] : [line], { gate, limit: most, held: new Set() });
  const isHeld = Boolean(paused || groupsPaused) || gate.closed.size > 0;
  const held = isHeld ? await heldBehind(step, line, next, most - next.length) : [];
  const left = most - next.length - held.length;
  const scheduled = left > 0 ? await tx.query(peekedScheduled, queue, limits.peekScheduledMax, left) : [];
  return { next: next.map(idOf), held: held.map(idOf), scheduled: scheduled.map(([id]) => id) };
}

/** What would be next if everything were open, once the first ones are gone. */
async function heldBehind(
  step: Step,
  { queue, round, read }: Line,
  next: readonly Candidate[],
  limit: number,
): Promise<readonly Candidate[]> {
  if (limit <= 0) return [];
  const moved = new Map<string, Turn>();
  for (const { group, served, turn, since } of read) if (served && group !== null) moved.set(group, { turn, since });
  const held = new Set(next.map(({ address }) => address));
  return pickFrom(step, [lineOf(queue, round, { left: limit, rule: null, moved })], { gate: openGate, limit, held });
}

function lineOf(
  queue: string,
  round: Round | null,
  { left, rule, moved }: { readonly left: number; readonly rule: LimitRule | null; readonly moved?: Line['moved'] },
): Line {
  return round === null ? unreadLine(queue, left, rule) : groupedLine(round, left, rule, moved);
}

function roundOf(queue: string, [, , paused, , turn, plainTurn, plainSince]: QueueRow): Round | null {
  if (turn === null) return null;
  const plain = { turn: plainTurn ?? 0, since: plainSince ?? 0 };
  return { queue, turn, plain, isPaused: Boolean(paused), isServed: false };
}

/** Where claims go on is looked up and not changed. */
function copyOf({ places, between, turnPlaces, readOn }: Memory): Memory {
  return {
    places: new Map(places),
    between: new Map(between),
    turnPlaces: new Map(turnPlaces),
    readOn: new Map(readOn),
    remembered: new Map(),
  };
}

function idOf({ place: [, , id] }: Candidate): string {
  return id;
}
