/** What a broker knows about why a task waits; core/explain.ts turns it into gates. */

import type { EdgeState } from './dependencies.ts';
import type { TaskState } from './states.ts';
import type { Task } from './task.ts';

/** Who paused a queue, when and why. */
export interface Pause {
  readonly by: string;
  readonly reason: string | null;
  readonly at: number;
}

/** Another end of an edge of the task. Name and state are `null` when that task is not in the store. */
export interface RelativeFact {
  readonly taskId: string;
  readonly name: string | null;
  readonly state: TaskState | null;
}

/** A parent, and whether it holds the task back: see core/dependencies.ts. */
export interface ParentFact extends RelativeFact {
  readonly edge: EdgeState;
}

/** A limit of the task, or of its queue, and who fills it. */
export interface LimitFact {
  readonly name: string;
  readonly pause: Pause | null;
  readonly max: number | null;
  /** Running tasks that hold it, at most 20 of them. */
  readonly holders: readonly { readonly taskId: string; readonly workerId: string | null; readonly sinceAt: number }[];
  readonly held: number;
  /** When the rate gives the next token; `null` when it does not hold back. */
  readonly tokenAt: number | null;
}

/** Whose turn it is in the queue of a waiting task. */
export interface TurnFact {
  /** `null` are the tasks without a group. */
  readonly group: string | null;
  readonly weight: number;
  readonly pause: Pause | null;
  /** Groups with queued tasks that are served before it, counted up to `limits.aheadMax`; 0 unless the task is queued. */
  readonly ahead: number;
  /** The first of them; `null` is none, or the tasks without a group. */
  readonly first: string | null;
}

/** A living worker, as far as it matters for a waiting task. */
export interface WorkerFact {
  readonly workerId: string;
  readonly name: string;
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly running: number;
  readonly state: 'ready' | 'draining' | 'stopped';
  readonly taskNames: readonly string[];
  /** Version of the input schema it has for this task, or `null`. */
  readonly schemaVersion: string | null;
}

/** The facts about one task at `now` (the store's clock). */
export interface Facts {
  readonly now: number;
  readonly task: Task;
  readonly pause: Pause | null;
  /** Queued tasks that come before it, counted up to `limits.aheadMax`. */
  readonly ahead: number;
  /** Those that hold it back first, in the order of their ids; at most `limits.relativesMax` of them. */
  readonly parents: readonly ParentFact[];
  /** How many parents hold it back, among those named or not. */
  readonly parentsLeft: number;
  /** Tasks that have it as a parent, by id; at most `limits.relativesMax` of them. */
  readonly children: readonly RelativeFact[];
  readonly limits: readonly LimitFact[];
  /** Of the queue; `null` when it has none. */
  readonly queueLimit: LimitFact | null;
  readonly turn: TurnFact;
  readonly workers: readonly WorkerFact[];
}
