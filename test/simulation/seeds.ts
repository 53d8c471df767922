/** Which seeds the tests run. */

import process from 'node:process';
import { runSeed } from './run-seed.ts';
import type { StoreKind } from './sim-store.ts';

export const isFull = process.env.SIMULATION === 'full';

/** First seeds of the parts that `count` seeds are run in, so that a failure does not hide the rest. */
export function parts(count: number, size: number): readonly number[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, part) => 1 + part * size);
}

export async function runSeeds(store: StoreKind, first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++) await runSeed({ seed, store });
}
