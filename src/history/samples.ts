/** What waited and ran at each minute: stored once, by whoever comes first. */

import { eachStatement, type SqlTransaction, statement } from '../broker/sql/driver.ts';
import { limits } from '../core/limits.ts';
import type { Range, Sample } from './history.ts';

type SampleRow = readonly [at: number, queue: string, waiting: number, running: number, slots: number, workers: number];

/** Inputs: from, to, limit. */
export const samplesBetween = statement<SampleRow>(
  'samples_between',
  () =>
    'SELECT at, queue, waiting, running, slots, workers FROM samples WHERE at >= $1 AND at < $2 ORDER BY at, queue LIMIT $3',
);

/** Input: minute. */
export const sampledMinute = statement<[at: number]>(
  'sampled_minute',
  () => 'SELECT at FROM samples WHERE at = $1 LIMIT 1',
);

/** Locks: the new rows. A writer that comes at the same time finds the first row taken. */
const insertSamples = eachStatement(
  'insert_samples',
  { at: 'bigint', queue: 'text', waiting: 'bigint', running: 'bigint', slots: 'bigint', workers: 'bigint' },
  (value, from) => `INSERT INTO samples (at, queue, waiting, running, slots, workers)
    SELECT ${value.at}, ${value.queue}, ${value.waiting}, ${value.running}, ${value.slots}, ${value.workers} ${from} WHERE true
    ON CONFLICT (at, queue) DO NOTHING`,
  { at: 'at', queue: 'queue' },
);

/** Oldest first, at most `limit`, and `limits.pageMax` × 100. */
export async function readSamples(
  tx: SqlTransaction,
  { from, to, limit = Infinity }: Range & { readonly limit?: number },
): Promise<readonly Sample[]> {
  const rows = await tx.query(samplesBetween, from, to, Math.min(limit, limits.pageMax * 100));
  return rows.map(([at, queue, waiting, running, slots, workers]) => ({ at, queue, waiting, running, slots, workers }));
}

/** All samples are of one minute. Answers whether they are its first. */
export async function storeSamples(tx: SqlTransaction, samples: readonly Sample[]): Promise<boolean> {
  const [first] = samples;
  if (first === undefined || (await tx.query(sampledMinute, first.at)).length > 0) return false;
  const stored = await tx.each(
    insertSamples,
    samples.map(({ at, queue, waiting, running, slots, workers }) => [at, queue, waiting, running, slots, workers]),
  );
  return stored.some((isNew) => isNew);
}
