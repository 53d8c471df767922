/** Which queued tasks a claim takes where groups or limits have a say: by turns, and on behind limits that are full. */

import { queueRule, rulesWithQueue } from '../../core/limit-rules.ts';
import { limits } from '../../core/limits.ts';
import type { LimitRule } from '../../core/task.ts';
import type { ClaimRequest } from '../broker.ts';
import type { RowAddress } from './driver.ts';
import { type Candidate, type ClaimableRow, comesBefore, type Lane, readRows, remember } from './lanes.ts';
import { createGate, type Gate } from './limits.ts';
import { groupedLine, type Line, nextLane, plainLine, rememberReads, serve, unreadLine } from './lines.ts';
import { decodeOptions } from './rows.ts';
import type { Step } from './step.ts';
import { endRounds, type Round } from './turns.ts';

export interface Choice {
  readonly rows: readonly ClaimableRow[];
  /** Stores what depends on the tasks being claimed; after they are. */
  end(): Promise<void>;
}

/** What is known before. */
export interface Found {
  /** What the plain claim found in the queues that have neither round nor limit. */
  readonly first: readonly ClaimableRow[];
  readonly rounds: readonly Round[];
  /** The queues with a limit of their own. */
  readonly limited: ReadonlySet<string>;
  /** The most of all queues together. */
  readonly limit: number;
  /** Whether other transactions may change tasks now. */
  readonly isShared: boolean;
}

/** Takes slots, tokens and turns. Who is held by somebody else just then loses no turn by it: the choice is made anew without them. */
export async function choose(step: Step, request: ClaimRequest, found: Found): Promise<Choice> {
  const held = new Set<RowAddress>();
  const putBack = found.isShared ? keepPlaces(step) : () => {};
  for (let pass = 1; ; pass++) {
    const pick = await pickTasks(step, request, found, held);
    const rows = await readRows(step, pick.taken, found.isShared);
    if (rows.length < pick.taken.length && pass < limits.claimPassesMax) {
      const there = new Set(rows.map(addressOf));
      for (const { address } of pick.taken) if (!there.has(address)) held.add(address);
      putBack();
      continue;
    }
    return await keep(step, found, pick, rows);
  }
}

/** Answers what puts them back: each pass goes on where an earlier claim stopped, and not where the pass before it did. */
function keepPlaces({ places, between, turnPlaces }: Step): () => void {
  const known = [new Map(places), new Map(between), new Map(turnPlaces)] as const;
  return () => {
    refill(places, known[0]);
    refill(between, known[1]);
    refill(turnPlaces, known[2]);
  };
}

function refill<Key, Value>(map: Map<Key, Value>, entries: ReadonlyMap<Key, Value>): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

interface Pick {
  readonly taken: readonly Candidate[];
  readonly lines: readonly Line[];
  readonly rounds: readonly Round[];
  readonly gate: Gate;
}

/** Goes through what may be claimed. Nothing is stored of it. */
async function pickTasks(
  step: Step,
  request: ClaimRequest,
  found: Found,
  held: ReadonlySet<RowAddress>,
): Promise<Pick> {
  const rounds = found.rounds.map((round) => ({ ...round }));
  const lines = linesOf(request, { ...found, rounds });
  const gate = createGate(step);
  const taken = await pickFrom(step, lines, { gate, limit: found.limit, held });
  return { taken, lines, rounds, gate };
}

/** Takes what the gate admits of the lines, as it comes, but for those that are `held`. Nothing is stored of it. */
export async function pickFrom(
  step: Step,
  lines: readonly Line[],
  { gate, limit, held }: { readonly gate: Gate; readonly limit: number; readonly held: ReadonlySet<RowAddress> },
): Promise<readonly Candidate[]> {
  await gate.load(
    lines.flatMap(({ rule, lanes }) => [
      ...(rule === null ? [] : [rule]),
      ...lanes.flatMap((lane) => lane.candidates.flatMap(({ rules }) => rules)),
    ]),
  );
  const taken: Candidate[] = [];
  while (taken.length < limit) {
    const next = await nextOf(step, lines, gate);
    const candidate = next?.lane.candidates.shift();
    if (next === null || candidate === undefined) break;
    next.lane.looked = candidate.place;
    if (held.has(candidate.address)) continue;
    const rules = rulesOf(next.line, candidate);
    if (!gate.admits(rules)) {
      // Then no other task of the queue is let through either.
      if (next.line.rule !== null && gate.closed.has(next.line.rule.name)) next.line.left = 0;
      continue;
    }
    gate.take(rules);
    serve(step, next.line, next.lane);
    taken.push(candidate);
  }
  return taken;
}

async function keep(
  step: Step,
  { limited }: Found,
  { lines, rounds, gate }: Pick,
  rows: readonly ClaimableRow[],
): Promise<Choice> {
  const lanes = lines.flatMap(({ read }) => read);
  for (const lane of lanes) remember(step, lane);
  for (const line of lines) rememberReads(step, line);
  await gate.store(
    rows.map((row) => ({ id: row[0], limits: rulesWithQueue(decodeOptions(row[29]).limits, row[1], limited) })),
  );
  return {
    rows,
    end: () =>
      endRounds(step, {
        rounds,
        served: lanes.flatMap(({ queue, group, turn, served }) =>
          served && group !== null ? [{ queue, group, turn }] : [],
        ),
        empty: lines.flatMap(({ queue, empty }) => empty.map((group) => ({ queue, group }))),
      }),
  };
}

function addressOf(row: ClaimableRow): RowAddress {
  return row[36];
}

function rulesOf({ rule }: Line, { rules }: Candidate): readonly LimitRule[] {
  return rule === null ? rules : [...rules, rule];
}

function linesOf(request: ClaimRequest, { first, rounds, limited, limit }: Found): readonly Line[] {
  const demands = new Map<string, number>();
  for (const { name, limit: most } of request.queues) demands.set(name, Math.max(most, demands.get(name) ?? 0));
  return [...demands].flatMap(([queue, left]) => {
    const round = rounds.find((each) => each.queue === queue);
    const rule = limited.has(queue) ? queueRule(queue) : null;
    if (round !== undefined) return round.isPaused ? [] : [groupedLine(round, Math.min(left, limit), rule)];
    if (rule !== null) return [unreadLine(queue, Math.min(left, limit), rule)];
    const rows = first.filter((row) => row[1] === queue);
    // Fewer than were asked for: there are no others.
    return [plainLine(queue, left, rows, first.length < limit && rows.length < left)];
  });
}

/** The lane whose next candidate comes first of all; `null` when there is none. */
async function nextOf(
  step: Step,
  lines: readonly Line[],
  gate: Gate,
): Promise<{ readonly line: Line; readonly lane: Lane } | null> {
  let best: { readonly line: Line; readonly lane: Lane } | null = null;
  for (const line of lines) {
    if (line.left <= 0) continue;
    const lane = await nextLane(step, line, gate);
    const [place, other] = [lane?.candidates[0]?.place, best?.lane.candidates[0]?.place];
    if (lane !== null && place !== undefined && (other === undefined || comesBefore(place, other)))
      best = { line, lane };
  }
  return best;
}
