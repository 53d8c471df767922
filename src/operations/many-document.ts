/** What one call on several tasks answers. */

import type { TaskState } from '../core/states.ts';

/** What may come of one of several tasks: what was done to it, or why nothing was. */
export const manyOutcomes = [
  'cancelled',
  'requested',
  'queued',
  'blocked',
  'removed',
  'updated',
  'already',
  'conflict',
  'unknown',
  'forbidden',
] as const;

/** What came of one of several tasks. What could not be done is told here, and is no error of the call. */
export interface ManyOutcome {
  readonly id: string;
  /** `already`: its state does not allow it; `unknown`: there is no such task; `conflict`: another task holds its key; `forbidden`: the key does not reach its queue. */
  readonly outcome: (typeof manyOutcomes)[number];
  /** Where it stands, where that is known. */
  readonly state: TaskState | null;
}

export interface ManyDocument {
  /** In the order of the ids, each once. */
  readonly tasks: readonly ManyOutcome[];
  /** How many it was done to. */
  readonly done: number;
}
