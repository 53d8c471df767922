/**
 * The messages of workers over HTTP: what a worker in any language sends and is answered. Durations are milliseconds, times
 * ISO 8601 in UTC; inputs, results, steps and fields of log lines are JSON as it is, to the last digit.
 */

import type { SentCommand, WorkerStack } from './commands.ts';
import type { LimitTemplate } from './limit-rules.ts';
import type { Policy } from './policy.ts';
import type { LoopBlock, StallMark } from './presence.ts';
import type { TaskState } from './states.ts';
import type { FiredBy, IfExists, LimitRule, LogLevel, OnFailure, Progress, Task, TaskError } from './task.ts';

/** How a task stands, of those that somebody waits for through a server: an operation for everybody, `task.result-many`. */
export interface ResultMessage extends Pick<Task, 'id' | 'name' | 'state' | 'reason' | 'error' | 'cancelReason'> {
  readonly result: unknown;
  readonly hasResult: boolean;
  readonly hidden: boolean;
}

export interface ResultsMessage {
  readonly results: readonly ResultMessage[];
  /** Not there, or in queues that the key does not reach. */
  readonly missing: readonly string[];
  /** Ended, and asked for again. */
  readonly left: readonly string[];
}

/** The right to report on one run, as a claim gave it: sent back as it came. */
export interface LeaseMessage {
  readonly id: string;
  /** Of the claim, as the worker chose it. */
  readonly token: string;
  readonly epoch: number;
}

/** A worker as it describes itself. */
export interface WorkerMessage {
  /** Its own choice, the same for as long as it lives. */
  readonly id: string;
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Where its process is: with all three, a server of the same machine can prove that it is gone. */
  readonly host?: string | undefined;
  readonly pid?: number | undefined;
  readonly bootId?: string | null | undefined;
  /** Its slots for each queue. */
  readonly queues?: Readonly<Record<string, number>> | undefined;
  readonly concurrency?: number | undefined;
  readonly running?: number | undefined;
  readonly state?: 'ready' | 'draining' | undefined;
  /** Names of the tasks it can run. */
  readonly tasks?: readonly string[] | undefined;
  readonly loopLagMs?: number | undefined;
  readonly blocked?: LoopBlock | undefined;
  readonly stall?: StallMark | undefined;
}

/** A task that a worker can run, for whoever enqueues it by its name. What it does not say is as the project says. */
export interface DefinitionMessage {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly queue?: string | undefined;
  /** JSON Schema of the input. */
  readonly inputSchema?: unknown;
  readonly schemaVersion?: string | null | undefined;
  /** `{ "attempts": 3 }` and the like: what differs from the defaults. */
  readonly policy?: PolicyMessage | undefined;
  readonly timeoutMs?: number | null | undefined;
  /** Templates over the input, as in a task file. */
  readonly key?: string | null | undefined;
  readonly keyForMs?: number | null | undefined;
  readonly ifExists?: IfExists | undefined;
  readonly group?: string | null | undefined;
  readonly limits?: readonly LimitTemplate[] | undefined;
  readonly schedules?: readonly string[] | undefined;
  readonly isFlow?: boolean | undefined;
  readonly file?: string | null | undefined;
}

/** What differs from the policy of a task that says nothing. */
export type PolicyMessage = { readonly [Name in keyof Policy]?: Policy[Name] | undefined };

export interface RegisterMessage {
  readonly worker: WorkerMessage;
  readonly definitions?: readonly DefinitionMessage[] | undefined;
}

/** What a worker is told when it registers. */
export interface RegisterAnswer {
  /** The id other surfaces know it by. */
  readonly id: string;
  readonly now: string;
  /** How long a lease lasts when a claim does not say, and how often to beat then. */
  readonly leaseMs: number;
  readonly beatMs: number;
  /** The longest a claim may wait. */
  readonly waitMaxMs: number;
  readonly commands: readonly SentCommand[];
}

/** Without its worker: as it goes along with outcomes. */
export interface NextClaimMessage {
  /** Random, and new for every claim: the same one again answers the same tasks, while they are not settled. */
  readonly token: string;
  /** Free slots by queue. */
  readonly queues: Readonly<Record<string, number>>;
  /** At most so many in all; the sum of the slots when it is left out. */
  readonly limit?: number | undefined;
  readonly leaseMs?: number | undefined;
}

export interface ClaimMessage extends NextClaimMessage {
  readonly worker: string;
  /** How long to wait for the first task; not at all when it is left out. */
  readonly waitMs?: number | undefined;
}

export interface ClaimAnswer {
  readonly tasks: readonly ClaimedMessage[];
}

export interface ProgressMessage {
  readonly done: number;
  readonly total?: number | null | undefined;
  readonly note?: string | null | undefined;
}

export interface LogMessage {
  /** When it was written, by the worker's clock; when it arrived, if it is left out. */
  readonly at?: string | undefined;
  readonly level?: LogLevel | undefined;
  readonly message: string;
  readonly fields?: unknown;
}

export interface StepMessage {
  readonly name: string;
  /** Left out by a step that returned nothing. */
  readonly value?: unknown;
}

export interface BeatMessage {
  readonly lease: LeaseMessage;
  /** How long its handler has run; `null` or left out while it has not begun. */
  readonly ranMs?: number | null | undefined;
  readonly progress?: ProgressMessage | null | undefined;
  readonly logs?: readonly LogMessage[] | undefined;
  readonly steps?: readonly StepMessage[] | undefined;
}

export interface HeartbeatMessage extends RegisterMessage {
  /** Every lease is renewed for so long. */
  readonly leaseMs?: number | undefined;
  readonly beats?: readonly BeatMessage[] | undefined;
  /** The highest id of a command that was heard: those up to it are not sent again. */
  readonly heard?: number | undefined;
  readonly stack?: WorkerStack | undefined;
}

export interface HeartbeatReply {
  readonly now: string;
  /** In the order of the beats. `cancel`: end the run, and report `aborted`. `lost`: it is another's; end it and say no more. */
  readonly answers: readonly ('ok' | 'cancel' | 'lost')[];
  readonly commands: readonly SentCommand[];
}

export interface ListenMessage {
  readonly worker: string;
  readonly waitMs?: number | undefined;
}

/** What a worker may want to hear before its next heartbeat: a hint, which may be lost. */
export interface ListenAnswer {
  /** Tasks of which somebody asked to cancel the run, whoever runs them: a heartbeat for those it holds tells. */
  readonly cancel: readonly string[];
  /** Whether commands may wait for it: a heartbeat brings them. */
  readonly commands: boolean;
}

export interface ErrorMessage {
  readonly name?: string | undefined;
  readonly message: string;
  /** Its frames, one a line. */
  readonly stack?: string | null | undefined;
}

/** How a run ended. What that means for the task is decided by the server. */
export type OutcomeMessage = ReportMessage &
  (
    | { readonly outcome: 'done'; readonly result?: unknown }
    | {
        readonly outcome: 'error';
        readonly error: ErrorMessage;
        readonly retryable?: boolean | undefined;
        readonly retryAfterMs?: number | null | undefined;
      }
    | { readonly outcome: 'giveUp' | 'crashed' | 'undecodable'; readonly error: ErrorMessage }
    | { readonly outcome: 'timedOut'; readonly error?: ErrorMessage | undefined; readonly byLife?: boolean | undefined }
    | { readonly outcome: 'snooze'; readonly delayMs: number }
    | { readonly outcome: 'aborted' | 'released' | 'waits' | 'unknownTask' }
  );

/** What every report brings along. */
export interface ReportMessage {
  readonly lease: LeaseMessage;
  /** How long the handler ran; `null` or left out when it never began. */
  readonly ranMs?: number | null | undefined;
  readonly progress?: ProgressMessage | null | undefined;
  readonly logs?: readonly LogMessage[] | undefined;
  /** Tasks that come into being with a success. */
  readonly spawn?: readonly NewTaskMessage[] | undefined;
}

export interface OutcomesMessage {
  readonly worker: string;
  readonly outcomes: readonly OutcomeMessage[];
  /** Claimed once the outcomes are stored. */
  readonly claim?: NextClaimMessage | undefined;
}

/** `applied`; `alreadyApplied` when it was sent before; `diverted` when a cancellation was asked for meanwhile. */
export interface OutcomeResult {
  readonly id: string;
  readonly result: 'applied' | 'alreadyApplied' | 'diverted' | 'stale' | 'unknown';
  /** Where it went, when it was diverted. */
  readonly to: TaskState | null;
  /** Why nothing was stored: the lease is another's by now, or the task is gone. `null` where something was. */
  readonly code: 'LEASE_LOST' | 'TASK_NOT_FOUND' | null;
}

export interface OutcomesAnswer {
  /** In the order of the outcomes. */
  readonly results: readonly OutcomeResult[];
  readonly tasks: readonly ClaimedMessage[];
}

/** Tasks that a handler enqueues while it runs: all of them are stored, or none. */
export interface EnqueueTasksMessage {
  readonly worker: string;
  readonly tasks: readonly NewTaskMessage[];
}

export interface EnqueueTasksAnswer {
  /** In the order of the tasks. */
  readonly results: readonly EnqueuedMessage[];
}

/** `created`; `existing` when the same task was sent before; `duplicate`, `replaced` and `conflict` name the other task as `of`. */
export interface EnqueuedMessage {
  readonly id: string;
  readonly outcome: 'created' | 'existing' | 'duplicate' | 'replaced' | 'conflict';
  readonly of: string | null;
  readonly state: TaskState | null;
}

/** Asks for results that a claim left out, by the lease of the task that waited for them. */
export interface ParentsMessage {
  readonly worker: string;
  readonly lease: LeaseMessage;
  readonly ids: readonly string[];
}

export interface ParentsAnswer {
  /** In the order of the ids. */
  readonly parents: readonly ParentMessage[];
}

export interface DeregisterMessage {
  readonly worker: WorkerMessage;
}

export interface DeregisterAnswer {
  readonly now: string;
}

interface DependencyMessage {
  readonly id: string;
  readonly onFailure: OnFailure;
}

/** A task that a run brings along or enqueues, complete: nothing of it is rendered or filled in by the server. */
export interface NewTaskMessage {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly input: unknown;
  readonly schemaVersion: string | null;
  readonly priority: number;
  readonly delayMs: number;
  readonly at: string | null;
  readonly startWithinMs: number | null;
  readonly expiresInMs: number | null;
  readonly timeoutMs: number | null;
  readonly policy: PolicyMessage;
  readonly keepMs: number;
  readonly strictCancel: boolean;
  readonly group: string | null;
  readonly limits: readonly LimitRule[];
  readonly key: string | null;
  readonly keyForMs: number | null;
  readonly ifExists: IfExists;
  readonly dependsOn: readonly DependencyMessage[];
  readonly blocks: readonly DependencyMessage[];
  readonly flowId: string | null;
  readonly tags: readonly string[];
  readonly traceparent: string | null;
  readonly tracestate?: string | null | undefined;
}

/** A claimed task, as its worker sees it. */
export interface ClaimedMessage {
  readonly id: string;
  readonly lease: LeaseMessage;
  readonly name: string;
  readonly queue: string;
  readonly input: unknown;
  /** The same for all runs of one generation: for effects that must happen once. */
  readonly idempotencyKey: string;
  /** Charged runs, this one included, of so many. */
  readonly attempt: number;
  readonly attempts: number;
  readonly generation: number;
  /** Longest run from now; `null` is none. */
  readonly runMs: number | null;
  /** Whether the rest of the task's life bounds it. */
  readonly boundByLife: boolean;
  readonly timeoutMs: number | null;
  /** What earlier runs have kept. */
  readonly steps: readonly { readonly name: string; readonly value: unknown; readonly isEmpty: boolean }[];
  readonly parents: readonly ParentMessage[];
  readonly priority: number;
  readonly key: string | null;
  readonly keyForMs: number | null;
  readonly ifExists: IfExists;
  readonly group: string | null;
  readonly limits: readonly LimitRule[];
  readonly tags: readonly string[];
  readonly flowId: string | null;
  readonly dependsOn: readonly DependencyMessage[];
  readonly traceparent: string | null;
  /** Beside a `traceparent` that came with one. */
  readonly tracestate: string | null;
  readonly firedBy: (Omit<FiredBy, 'at'> & { readonly at: string }) | null;
  readonly schemaVersion: string | null;
  readonly policy: unknown;
  readonly keepMs: number;
  readonly strictCancel: boolean;
  readonly version: number;
  readonly crashes: number;
  readonly interruptions: number;
  readonly snoozes: number;
  readonly progress: Progress | null;
  readonly createdAt: string;
  readonly dueAt: string;
  readonly claimedAt: string;
  readonly expiresAt: string | null;
}

export interface ParentMessage {
  readonly id: string;
  /** `null`, like the state, when it is gone from the store. */
  readonly name: string | null;
  readonly state: TaskState | null;
  readonly hasResult: boolean;
  readonly result: unknown;
  readonly error: TaskError | null;
  /** Bytes of result and error that were too much to come along; `null` when they are here. */
  readonly leftOutBytes: number | null;
}
