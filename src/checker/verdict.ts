/** What a judge of a history says: which promise was broken, by which task, and what led to it. */

import type { Waits } from './waits.ts';

/**
 * The promises, in the numbers of the guarantees: S1 no loss, S2 no invention, S3 one lease, S4 fencing, S5 one end, S6
 * epochs grow, S7 legal moves, S8 accounting, S9 not early, S10 backoff, S11 slots, S12 rates, S13 schedules, S14 flows, S15
 * cancellation, S16 pauses, S17 keys, S18 record, S21 indexes and counts, S22 retention, L4 an end for everything, L6 turns of groups; `steps`: what
 * a step gave is kept; `control`: a command is delivered until it is confirmed, and a drained worker claims nothing; `stop`: nothing is asked
 * of the store after a stop.
 */
export const rules = [
  'S1',
  'S2',
  'S3',
  'S4',
  'S5',
  'S6',
  'S7',
  'S8',
  'S9',
  'S10',
  'S11',
  'S12',
  'S13',
  'S14',
  'S15',
  'S16',
  'S17',
  'S18',
  'S21',
  'S22',
  'L4',
  'L6',
  'steps',
  'control',
  'stop',
] as const;
export type Rule = (typeof rules)[number];

/** A broken promise. */
export interface Violation {
  readonly rule: Rule;
  readonly taskId: string | null;
  readonly sentence: string;
}

/** Hears of each broken promise. */
export type Tell = (rule: Rule, taskId: string | null, sentence: string) => void;

export interface Verdict {
  /** `unknown`: nothing is wrong and nothing is proved, see `doubts`. Whoever asked for a proof has to take it for a failure. */
  readonly result: 'valid' | 'invalid' | 'unknown';
  /** The first ones; `broken` counts all. */
  readonly violations: readonly Violation[];
  readonly broken: number;
  /** The last lines about the task of the first violation, up to it. */
  readonly context: readonly string[];
  /** Why the history proves nothing. */
  readonly doubts: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** What was broken, by its rule. */
  readonly brokenBy: Readonly<Partial<Record<Rule, number>>>;
  /** Stored tasks by what was asked of them. */
  readonly kinds: Readonly<Record<string, number>>;
  /** From when a task was queued to its claim. */
  readonly waits: Waits;
}
