/** How long the tasks of a minute and a queue waited and ran, as counts by bounds: what the fold keeps of the differences. */

import { addLatencies, type Latencies } from '../../core/latency.ts';
import type { SpreadDelta } from './changes.ts';
import { eachStatement, type SqlTransaction } from './driver.ts';
import { minuteOf } from './minutes.ts';

/** Of minutes and queues, by both. */
type Spreads = Map<string, [at: number, queue: string, waits: number[], runs: number[]]>;

function spreadOf(spreads: Spreads, at: number, queue: string) {
  const key = `${at} ${queue}`;
  const known = spreads.get(key);
  if (known !== undefined) return known;
  const fresh: [number, string, number[], number[]] = [at, queue, [], []];
  spreads.set(key, fresh);
  return fresh;
}

/** What a difference of that time tells. */
function addChanges(spreads: Spreads, at: number, changes: string): void {
  for (const [queue, , , , , , , , spread] of JSON.parse(changes) as readonly SpreadDelta[]) {
    if (spread === undefined) continue;
    const [, , waits, runs] = spreadOf(spreads, minuteOf(at), queue);
    addLatencies(waits, spread[0]);
    addLatencies(runs, spread[1]);
  }
}

/** Inputs: a row. Locks: the rows, in the order of their keys. */
const addRows = eachStatement(
  'add_latencies',
  { at: 'bigint', queue: 'text', kind: 'text', bucket: 'bigint', tasks: 'bigint' },
  (value, from) => `INSERT INTO latencies (at, queue, kind, bucket, tasks)
    SELECT ${value.at}, ${value.queue}, ${value.kind}, ${value.bucket}, ${value.tasks} ${from} WHERE true
    ON CONFLICT (at, queue, kind, bucket) DO UPDATE SET tasks = latencies.tasks + excluded.tasks`,
);

/** Takes in differences that are folded by the same transaction, which holds the folding. */
export async function foldLatencies(
  tx: SqlTransaction,
  taken: readonly (readonly [at: number, changes: string])[],
): Promise<void> {
  const spreads: Spreads = new Map();
  for (const [at, changes] of taken) addChanges(spreads, at, changes);
  const rows = [...spreads.values()].flatMap(([at, queue, waits, runs]) => [
    ...pairsOf(waits).map(([bucket, tasks]) => [at, queue, 'wait', bucket, tasks] as const),
    ...pairsOf(runs).map(([bucket, tasks]) => [at, queue, 'run', bucket, tasks] as const),
  ]);
  if (rows.length > 0) await tx.each(addRows, rows);
}

function pairsOf(counts: Latencies): readonly (readonly [bucket: number, tasks: number])[] {
  return Array.from({ length: counts.length / 2 }, (_, index) => [counts[2 * index] ?? 0, counts[2 * index + 1] ?? 0]);
}
