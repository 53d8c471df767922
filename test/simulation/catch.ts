/** Whether the simulation finds a planted bug, and after how many seeds. */

import type { Mutation } from './mutation.ts';
import { simulate } from './simulate.ts';

/** A bug that takes more seeds than this is not found. */
export const caughtWithin = 60;

export interface Caught {
  readonly seeds: number;
  /** The rules that were broken. */
  readonly rules: readonly string[];
}

/** Runs seeds from the first on until one breaks a rule; `null` when none does. */
export async function catchMutation(mutation: Mutation): Promise<Caught | null> {
  for (let seed = 1; seed <= caughtWithin; seed++) {
    const { violations } = await simulate({ seed, store: mutation.on ?? 'memory', mutation });
    if (violations.length > 0) return { seeds: seed, rules: [...new Set(violations.map(({ rule }) => rule))] };
  }
  return null;
}
