/** How long the outages of the scenarios last: 1 s, or what `OUTAGES` says: continuous integration adds 10 s, `npm run test:long` has 2 minutes. */

import process from 'node:process';
import { parseDuration } from '../../src/core/duration.ts';

export interface Outage {
  /** As it was given. */
  readonly words: string;
  readonly ms: number;
}

export const outages: readonly Outage[] = (process.env.OUTAGES ?? '1s')
  .split(',')
  .map((words) => ({ words, ms: parseDuration(words, 'OUTAGES') }));

export const longestMs = Math.max(...outages.map(({ ms }) => ms));

/** How long a record is away while many tasks come: half a minute in continuous integration. */
export const recordAwayMs = Math.min(120_000, 3 * longestMs);
