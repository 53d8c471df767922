/** settle: ends leases as the verdicts say, each at most once, then claims the next tasks (lua/settle.lua). */

import { isFinished } from '../../core/states.ts';
import type { Settlement } from '../../core/task.ts';
import type { ClaimRequest, SettleAnswer, SettleResult, Signal } from '../broker.ts';
import {
  type Arrivals,
  argumentsOf as arrivalArguments,
  orderArrivals,
  type Refusal,
  refusalError,
} from './arrivals.ts';
import { type ClaimReply, readClaimed, requestText, withRows } from './claim.ts';
import type { Connection } from './connection.ts';
import { createForms, idText, spacedIds } from './forms.ts';
import { refuseLargeBatch, refuseTasks } from './refuse.ts';
import { type Hints, signalsOf, type Told } from './signals.ts';

type Settled = readonly [letters: Buffer, freed: number, hints: Hints, claimed: ClaimReply];
type Reply = Settled | readonly [refused: Buffer, why: Refusal];

export async function settle(
  connection: Connection,
  settlements: readonly Settlement[],
  claimNext?: ClaimRequest,
): Promise<Told<SettleAnswer>> {
  refuseLargeBatch(settlements);
  const spawned = settlements.flatMap(({ spawn }) => spawn);
  refuseTasks(spawned);
  const arrivals = orderArrivals(spawned);
  const next = claimNext === undefined ? '' : requestText(claimNext, connection);
  const reply = await connection.run<Reply>('settle', argumentsOf(settlements, next, arrivals));
  if (reply.length === 2) throw refusalError(arrivals, reply[1]);
  const results = readResults(reply[0]);
  const claimed = claimNext === undefined ? [] : readClaimed(await withRows(connection, reply[3]), claimNext.token);
  return { answer: { results, claimed }, signals: signalsIn(settlements, results, reply), isTold: reply[2][4] === 1 };
}

function argumentsOf(settlements: readonly Settlement[], next: string, arrivals: Arrivals): readonly string[] {
  const forms = createForms(isLike, formOf);
  const ids: string[] = [];
  const extras: unknown[] = [];
  const results: string[] = [];
  for (const settlement of settlements) {
    const { lease, verdict, progress, logs } = settlement;
    forms.add(settlement);
    ids.push(lease.taskId);
    results.push('result' in verdict ? (verdict.result ?? '') : '');
    if (verdict.error !== null || progress !== null || logs.length > 0)
      extras.push([ids.length, textOf(verdict.error), textOf(progress), logs.map((line) => JSON.stringify(line))]);
  }
  const [formList, formOfEach] = forms.runs();
  const [spawned, payloads] = spawnArguments(settlements, arrivals);
  const told = [formList, spacedIds(ids), formOfEach, JSON.stringify(extras), next, spawned];
  return [...told, ...resultArguments(results), ...payloads];
}

/** Mostly nothing, or the same of all: then it goes once. */
function resultArguments(results: readonly string[]): readonly string[] {
  const [first = ''] = results;
  return results.every((result) => result === first) ? ['1', first] : ['', ...results];
}

/** What is spawned, and with which settlement each of it stands or falls. */
function spawnArguments(
  settlements: readonly Settlement[],
  { tasks, positions }: Arrivals,
): readonly [spawned: string, payloads: readonly string[]] {
  if (tasks.length === 0) return ['', []];
  const owners = settlements.flatMap(({ spawn }, index) => spawn.map(() => index + 1));
  const ownerOf = (place: number): number => owners[positions?.[place] ?? place] ?? 0;
  const { forms, ids, formOf: formOfEach, extras, payloads } = arrivalArguments(tasks);
  const list = `[${forms},${JSON.stringify(idText(ids))},${JSON.stringify(formOfEach)},${JSON.stringify(extras)},${JSON.stringify(tasks.map((_task, place) => ownerOf(place)))}]`;
  return [list, payloads];
}

function textOf(value: object | null): string | false {
  return value === null ? false : JSON.stringify(value);
}

function isLike(one: Settlement, other: Settlement): boolean {
  const [a, b] = [one.verdict, other.verdict];
  return (
    one.lease.token === other.lease.token &&
    one.lease.epoch === other.lease.epoch &&
    one.ranMs === other.ranMs &&
    a.to === b.to &&
    a.reason === b.reason &&
    a.charge === b.charge &&
    lastingMs(a) === lastingMs(b)
  );
}

/** How long the end is kept, or the wait lasts. */
function lastingMs(verdict: Settlement['verdict']): number {
  return 'keepMs' in verdict ? verdict.keepMs : verdict.delayMs;
}

function formOf({ lease, verdict, ranMs }: Settlement): string {
  const { to, reason, charge } = verdict;
  return JSON.stringify([lease.token, to, reason ?? false, charge, lastingMs(verdict), ranMs ?? false, lease.epoch]);
}

const outcomes: Readonly<Record<string, SettleResult>> = {
  d: { outcome: 'applied' },
  v: { outcome: 'diverted', to: 'cancelled' },
  a: { outcome: 'alreadyApplied' },
  s: { outcome: 'stale' },
  u: { outcome: 'unknown' },
};

function readResults(letters: Buffer): readonly SettleResult[] {
  return [...letters.toString('latin1')].map((letter) => outcomes[letter] ?? { outcome: 'unknown' });
}

function signalsIn(
  settlements: readonly Settlement[],
  results: readonly SettleResult[],
  [, freed, hints]: Settled,
): readonly Signal[] {
  const finished = settlements.filter(({ verdict }, place) => {
    const outcome = results[place]?.outcome;
    return outcome === 'diverted' || (outcome === 'applied' && isFinished(verdict.to));
  });
  const told = signalsOf(
    hints,
    finished.map(({ lease }) => lease.taskId),
  );
  // A freed slot may let through what waits in any queue: that says more than the queues.
  return freed === 1 ? [{ kind: 'work', queues: null }, ...told.filter(({ kind }) => kind !== 'work')] : told;
}
