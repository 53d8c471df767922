/** Bulk operations: a task in a queue of TaskFlow's own, which does the same to every task that a filter finds. */

import type { Rate } from './limit-rules.ts';
import { limits } from './limits.ts';
import type { Checkpoint } from './task.ts';

/** No name that a person may give begins like these: no worker of theirs can listen there, and no task can be put there by name. */
export const internalQueue = '~operations';
export const bulkTaskName = '~operation';

/** What may be done to the tasks that a filter finds. */
export const bulkVerbs = ['retry', 'cancel', 'move', 'priority', 'run-now', 'remove'] as const;
export type BulkVerb = (typeof bulkVerbs)[number];

/** What somebody has asked for: the payload of the task. */
export interface BulkOrder {
  readonly verb: BulkVerb;
  /** In the filter language; empty where the tasks are named. */
  readonly filter: string;
  /** The tasks themselves, where somebody chose them one by one. */
  readonly taskIds?: readonly string[];
  /** Where they move to; `null` for other verbs, like the next. */
  readonly queue: string | null;
  readonly priority: number | null;
  /** Words for people: who and why. */
  readonly by: string;
  readonly reason: string | null;
  readonly rate: Rate | null;
  /** Tasks that matched when it was asked for; more than that when `isExact` is false. */
  readonly matched: number;
  readonly isExact: boolean;
  /** Patterns of the queues it is narrowed to, those of the key it was asked for with; `null` is all. */
  readonly queues: readonly string[] | null;
}

/** A task to which it could not be done, and what the store said. */
export interface BulkFailure {
  readonly taskId: string;
  readonly outcome: string;
}

/** How far it is: its checkpoint, and in the end its result. */
export interface BulkState {
  /** Where the search goes on, of tasks that are named the last one done; `null` at the start, and at the end. */
  readonly after: string | null;
  readonly done: number;
  /** Those that did not fit any more when their turn came. */
  readonly refused: number;
  /** The first of them. */
  readonly failures: readonly BulkFailure[];
}

export const bulkStart: BulkState = { after: null, done: 0, refused: 0, failures: [] };

/** The state with what came of a page of tasks. */
export function bulkAfter(
  state: BulkState,
  after: string | null,
  results: readonly (BulkFailure & { readonly isDone: boolean })[],
): BulkState {
  const refused = results.filter(({ isDone }) => !isDone);
  const failures = [...state.failures, ...refused.map(({ taskId, outcome }) => ({ taskId, outcome }))];
  return {
    after,
    done: state.done + results.length - refused.length,
    refused: state.refused + refused.length,
    failures: failures.slice(0, limits.bulkFailuresMax),
  };
}

const checkpointName = 'state';

export function bulkCheckpoint(state: BulkState): Checkpoint {
  return { name: checkpointName, value: JSON.stringify(state) };
}

/** How far a task of a bulk operation is by what the store keeps of it; at its start where that is none of ours. */
export function readBulkState(task: {
  readonly checkpoints: readonly Checkpoint[];
  readonly result: string | null;
}): BulkState {
  const text = task.result ?? task.checkpoints.find(({ name }) => name === checkpointName)?.value ?? null;
  const value: unknown = text === null ? null : JSON.parse(text);
  return isState(value) ? value : bulkStart;
}

function isState(value: unknown): value is BulkState {
  if (typeof value !== 'object' || value === null) return false;
  const { after, done, refused, failures } = value as Partial<Record<keyof BulkState, unknown>>;
  if (after !== null && typeof after !== 'string') return false;
  return (
    Number.isSafeInteger(done) && Number.isSafeInteger(refused) && Array.isArray(failures) && failures.every(isFailure)
  );
}

function isFailure(value: unknown): value is BulkFailure {
  if (typeof value !== 'object' || value === null) return false;
  const { taskId, outcome } = value as Partial<Record<keyof BulkFailure, unknown>>;
  return typeof taskId === 'string' && typeof outcome === 'string';
}

export function readBulkOrder(payload: string): BulkOrder {
  // One of an earlier program is of all queues.
  return { queues: null, ...(JSON.parse(payload) as Omit<BulkOrder, 'queues'>) };
}
