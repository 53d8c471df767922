/** The nouns of the seam: a task before, during and after its life in a store. */

import type { FinishedState, Reason, TaskState, WaitingState } from './states.ts';

/** What happens to an enqueue whose key is held by an unfinished task. */
export type IfExists = 'return' | 'replace' | 'debounce' | 'error';

/** A rule that holds a task back while `max` tasks with the same limit run, or faster than `rate`. */
export interface LimitRule {
  /** Rendered name, unique in the namespace: `user:42`. */
  readonly name: string;
  readonly max: number | null;
  /** At most `count` starts per `perMs`. */
  readonly rate: { readonly count: number; readonly perMs: number } | null;
}

/** What the end of a parent in another state than succeeded means for the task that waits: `ignore` counts it as done. */
export type OnFailure = 'fail' | 'cancel' | 'ignore';

/** One end of an edge between two tasks, and what a failure of the parent means for the child. */
export interface Dependency {
  readonly taskId: string;
  readonly onFailure: OnFailure;
}

/** Which schedule a task comes from. */
export interface FiredBy {
  readonly schedule: string;
  /** The time of the schedule, not when it was noticed. */
  readonly at: number;
  /** `made`: the payload is `{ at }`, and a function of the schedule makes the input of it in the worker. */
  readonly input: 'stored' | 'made';
}

/**
 * A task as it is handed to `Broker.enqueue`. All durations are milliseconds, counted by the store from its own now.
 * Everything here is validated and rendered before it crosses the seam; a broker checks only the sizes.
 */
export interface NewTask {
  /** UUIDv7 in 26 characters of Crockford base32. It is the idempotency of one enqueue call. */
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** JSON text, encoded once, opaque to the store. */
  readonly payload: string;
  /** Version of the input schema it was validated with; `null` when it was not. */
  readonly schemaVersion: string | null;
  /** 0 first … 9 last. */
  readonly priority: number;
  /** Exactly one of `delayMs` and `at` may be other than 0 and `null`; `at` is the one absolute time a user may give. */
  readonly delayMs: number;
  readonly at: number | null;
  /** Must begin its first run within this time of being due, else it is cancelled as expired. */
  readonly startWithinMs: number | null;
  /** Must be finished within this time of being enqueued, else it is cancelled as expired. */
  readonly expiresInMs: number | null;
  /** Longest run; `null` is none. */
  readonly timeoutMs: number | null;
  /** Normalised policy as JSON text (core/policy.ts), opaque to the store. */
  readonly policy: string;
  /** How long the task is kept when the store itself ends it (cancel, replace); settlements bring their own. */
  readonly keepMs: number;
  /** Whether a success that arrives after a cancel request is dropped too. */
  readonly strictCancel: boolean;
  readonly group: string | null;
  readonly limits: readonly LimitRule[];
  /** Unique among unfinished tasks of the namespace. */
  readonly key: string | null;
  /** Keeps the key for this long after success. Only with `ifExists` return or error. */
  readonly keyForMs: number | null;
  /** `replace` and `debounce` let go of the key when the task is claimed. */
  readonly ifExists: IfExists;
  /**
   * Patterns of the queues that whoever sends it reaches; absent is all. A task elsewhere that has its id, or holds its key, is a conflict
   * then, whatever `ifExists` says: it is neither cancelled, nor waited for, nor told of.
   */
  readonly reach?: readonly string[] | undefined;
  /** The parents it waits for; kept as a set. */
  readonly dependsOn: readonly Dependency[];
  /** Waiting tasks that gain this one as a parent, and what its failure means for them. Others are left alone. */
  readonly blocks: readonly Dependency[];
  /** The task that stands for the flow this one belongs to; may be its own id. */
  readonly flowId: string | null;
  readonly tags: readonly string[];
  /** A W3C trace context: `traceparent`, and behind a space `tracestate` where there is one (core/traceparent.ts). */
  readonly traceparent: string | null;
  readonly firedBy: FiredBy | null;
}

/** What a handler said about how far it is. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly note: string | null;
}

/** An error as it is stored: bounded, plain, safe to show (core/json.ts makes it). */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** Groups equal failures: task, class, normalised message, top frame. */
  readonly fingerprint: string;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One line a handler logged. `at` is the worker's wall clock: for reading, never for deciding. */
export interface LogLine {
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  /** JSON text of the fields, or `null`. */
  readonly fields: string | null;
}

/** A remembered step of a task, kept across attempts. */
export interface Checkpoint {
  readonly name: string;
  /** JSON text, or `null` for a step that returned nothing. */
  readonly value: string | null;
}

/** A stored task. All times are milliseconds of the store's clock. */
export interface Task extends Omit<NewTask, 'delayMs' | 'at' | 'startWithinMs' | 'expiresInMs' | 'blocks' | 'reach'> {
  readonly state: TaskState;
  readonly reason: Reason | null;
  /** +1 on every stored change but heartbeats: event number and edit lock. */
  readonly version: number;
  /** Claims over the whole life of the id; never resets: the fencing token a handler sees. */
  readonly epoch: number;
  /** Charged runs of this generation, including the one that runs now. */
  readonly attempt: number;
  /** 1, and +1 for each retry by a person. `id:generation` is the idempotency key a handler sees. */
  readonly generation: number;
  /** Ends of the worker under this task after its start was reported. */
  readonly crashes: number;
  /** Uncharged ends: handed back, or a lease lost before the start was reported. */
  readonly interruptions: number;
  readonly snoozes: number;
  readonly workerId: string | null;
  readonly leaseUntil: number | null;
  /** When the person's wish to cancel a running task was stored. */
  readonly cancelRequestedAt: number | null;
  readonly cancelReason: string | null;
  readonly progress: Progress | null;
  readonly checkpoints: readonly Checkpoint[];
  /** JSON text of what the handler returned. */
  readonly result: string | null;
  readonly error: TaskError | null;
  readonly createdAt: number;
  /** When it may run: the order within a priority. */
  readonly dueAt: number;
  /** Latest first start, latest end; `null` is none. */
  readonly startBy: number | null;
  readonly expiresAt: number | null;
  /** When the current lease was given. */
  readonly claimedAt: number | null;
  /** When the handler of the current or last run began; `null` until that was reported. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** When the finished task may be pruned. */
  readonly pruneAt: number | null;
}

/**
 * The right to report on one attempt: equality of token and epoch decides, nothing else. The token is that of the claim; a
 * repetition of that claim which arrives long after may take the task once more, and must not lend the lease to the run before.
 */
export interface Lease {
  readonly taskId: string;
  readonly token: string;
  /** The task's when the lease was given. */
  readonly epoch: number;
}

/** What a worker gets from a claim: the task, and what bounds this run. */
export interface ClaimedTask {
  readonly task: Task;
  readonly lease: Lease;
  /** Longest run from now: the shorter of the timeout and the rest of the task's life; `null` is none. */
  readonly runMs: number | null;
  /** Whether the rest of the task's life is what bounds `runMs`. */
  readonly boundByLife: boolean;
  /** How the parents stand, in the order of `dependsOn`. */
  readonly parents: readonly ParentResult[];
}

/** What came of a task, as far as it has ended and is there. */
export type TaskResult = Pick<Task, 'result' | 'error'> | null;

/** A parent as its child sees it when it runs. Name and state are `null` when it is gone from the store. */
export interface ParentResult {
  readonly taskId: string;
  readonly name: string | null;
  readonly state: TaskState | null;
  /** JSON text. */
  readonly result: string | null;
  readonly error: TaskError | null;
  /** Bytes of the result and error that were left out here, for the claim was full: `getTasks` has them. Absent when they are here. */
  readonly leftOutBytes?: number;
}

/** Why a task needs a verdict of the engine, in order of precedence. */
export const overdueReasons = [
  'cancel_requested',
  'expired',
  'timeout',
  'lease_expired',
  'start_deadline',
  'dependency_failed',
] as const;
export type OverdueReason = (typeof overdueReasons)[number];

/** What `claimOverdue` hands to the engine. */
export interface OverdueTask {
  readonly task: Task;
  /** The judge's lease: `settle` accepts its token while the verdict is due. */
  readonly lease: Lease;
  readonly reason: OverdueReason;
  /** The parents whose end holds it back for good; empty for every reason but `dependency_failed`. */
  readonly failedParents: readonly FailedParent[];
}

/** A parent that ended without success. Name and state are `null` when it is gone from the store. */
export interface FailedParent extends Dependency {
  readonly name: string | null;
  readonly state: TaskState | null;
}

/** How a run ended, as the worker saw it. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: string | null }
  | {
      readonly kind: 'error';
      readonly error: TaskError;
      readonly retryAfterMs: number | null;
      readonly retryable: boolean;
    }
  | { readonly kind: 'giveUp'; readonly error: TaskError }
  /** `byLife`: the task's whole life ended, not just this run's time. */
  | { readonly kind: 'timedOut'; readonly error: TaskError; readonly byLife: boolean }
  | { readonly kind: 'snooze'; readonly delayMs: number }
  /** The handler ended because of a cancel request. */
  | { readonly kind: 'aborted' }
  /** Handed back by a stopping worker; `ranMs` of the report says whether it had begun. */
  | { readonly kind: 'released' }
  /** The process that ran it died, as its parent saw. */
  | { readonly kind: 'crashed'; readonly error: TaskError }
  | { readonly kind: 'undecodable'; readonly error: TaskError }
  /** It runs again when the tasks it spawned, which hold it back, have ended. */
  | { readonly kind: 'waits' }
  | { readonly kind: 'unknownTask' };

/** What a run uses up. Anything but `attempt` gives the attempt back. */
export type Charge = 'attempt' | 'crash' | 'interruption' | 'snooze' | 'nothing';

/** Where a task goes: what `decide` says and a broker does, without judging. */
export type Verdict =
  | {
      readonly to: FinishedState;
      readonly reason: Reason | null;
      readonly charge: Charge;
      readonly keepMs: number;
      readonly result: string | null;
      readonly error: TaskError | null;
    }
  | {
      readonly to: WaitingState;
      readonly reason: Reason | null;
      readonly charge: Charge;
      readonly delayMs: number;
      readonly error: TaskError | null;
    };

/**
 * Whether the end of a run is worth an attempt row. A plain success is told by the task itself; a run that never began
 * and costs nothing (handed back, unknown name) was no attempt, and may happen every 30 seconds for a year.
 */
export function leavesAttempt(verdict: Verdict, ranMs: number | null): boolean {
  return verdict.to !== 'succeeded' && (ranMs !== null || verdict.charge !== 'nothing');
}

/** A verdict on one lease, with what the run leaves behind. */
export interface Settlement {
  readonly lease: Lease;
  readonly verdict: Verdict;
  /** How long the handler ran; `null` when it never began. */
  readonly ranMs: number | null;
  readonly progress: Progress | null;
  readonly logs: readonly LogLine[];
  readonly spawn: readonly NewTask[];
  /** What the run came to: for a server that decides itself. Stores look at the verdict alone. */
  readonly outcome?: Outcome;
}

/** The fields of a waiting task a person may change. Absent means unchanged. */
export interface TaskPatch {
  readonly queue?: string;
  readonly priority?: number;
  /** Counted from the store's now; 0 is "run now". */
  readonly delayMs?: number;
  readonly limits?: readonly LimitRule[];
  readonly tags?: readonly string[];
}
