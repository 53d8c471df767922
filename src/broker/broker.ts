/** The seam: everything a live store must be able to do, in about twenty batches. */

import type { SentCommand, WorkerCommand, WorkerStack } from '../core/commands.ts';
import type { Attempt, BatchEvent } from '../core/events.ts';
import type { Facts, Pause } from '../core/facts.ts';
import type { LimitSettings, Rate } from '../core/limit-rules.ts';
import type { Presence, WorkerRecord } from '../core/presence.ts';
import type { Scope, Settings } from '../core/settings.ts';
import type { Stand } from '../core/standing.ts';
import type { TaskState, TaskView } from '../core/states.ts';
import type {
  Checkpoint,
  ClaimedTask,
  Lease,
  LogLine,
  NewTask,
  OverdueTask,
  Progress,
  Settlement,
  Task,
  TaskPatch,
  TaskResult,
} from '../core/task.ts';
import type { TaskEnd } from '../core/task-end.ts';
import type { Schedules } from './schedules.ts';
import type { Signal } from './signal.ts';

/** What the store is and what it keeps, as detected, not as wished. */
export interface BrokerInfo {
  readonly kind: 'memory' | 'sqlite' | 'postgres' | 'redis' | 'http';
  /** `strict`: survives a power cut. `standard`: loses at most the last seconds. `volatile`: dies with its process. */
  readonly durability: 'strict' | 'standard' | 'volatile' | 'unverified';
  /** In words, with the settings that were read: "WAL, synchronous=FULL". */
  readonly detail: string;
  /** Random, made when the store is set up: a new one means the data was wiped or replaced. */
  readonly incarnation: string;
  /** The version of the protocol or schema. */
  readonly protocol: number;
  /** The store's clock, milliseconds since the epoch. */
  readonly now: number;
}

/** Ends a subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

/**
 * What a worker of this process may take straight from an enqueue: the store claims in the step that stores the tasks, which
 * saves a commit and a call. Asked as a call begins; `null` when nothing is wanted now.
 */
export type Taker = () => Offer | null;

/** A claim that is made along with an enqueue, or not at all. */
export interface Offer {
  /**
   * Called in the step, when tasks of these queues became claimable; `null` when nothing is wanted after all. Asked again when
   * the step is begun anew: the answer is the same. Once there is a request, one of the two below follows.
   */
  claim(queues: readonly string[]): ClaimRequest | null;
  /** Its answer, on a turn of its own: a handler that begins must not hold up who enqueued. */
  taken(claimed: readonly ClaimedTask[]): void;
  /** Whether it was claimed is not known: the same claim sent again tells. */
  failed(): void;
}

/** What became of one enqueued task. `of` names the other task of a duplicate, replacement or conflict. */
export type EnqueueResult =
  | { readonly outcome: 'created'; readonly taskId: string; readonly state: TaskState }
  /** The same id with the same body was there: the call is a repetition. */
  | { readonly outcome: 'existing'; readonly taskId: string; readonly state: TaskState }
  /** The key is held; nothing was stored. */
  | { readonly outcome: 'duplicate'; readonly taskId: string; readonly of: string }
  /** Stored; the former, still waiting holder of the key was cancelled with reason `replaced`. */
  | { readonly outcome: 'replaced'; readonly taskId: string; readonly of: string; readonly state: TaskState }
  /** Nothing stored: the id carries another body (`of` = the id itself), or the key is held and `ifExists` is error. */
  | { readonly outcome: 'conflict'; readonly taskId: string; readonly of: string };

/** A queue to claim from with the free slots for it. */
export interface QueueDemand {
  readonly name: string;
  readonly limit: number;
}

export interface ClaimRequest {
  readonly workerId: string;
  /** Random 128 bit. The same token sent again returns the same unsettled tasks, and no new ones. */
  readonly token: string;
  readonly queues: readonly QueueDemand[];
  /** At most this many in all. */
  readonly limit: number;
  readonly leaseMs: number;
  /**
   * For so long a store may keep a claim that found nothing, and make it in the step of an enqueue: `handed` tells what came of it. Till
   * then its token is sent again with the next claim, which takes the place of the one that is kept; with a limit of 0 it is taken back.
   */
  readonly standMs?: number;
}

/** News about one running task. */
export interface Beat {
  readonly lease: Lease;
  /** How long its handler has run; `null` while it has not begun. */
  readonly ranMs: number | null;
  readonly progress: Progress | null;
  readonly logs: readonly LogLine[];
  readonly checkpoints: readonly Checkpoint[];
}

export interface HeartbeatRequest {
  readonly worker: Presence;
  /** Extends each lease to now + `leaseMs`. */
  readonly leaseMs: number;
  readonly beats: readonly Beat[];
  /** The highest id among the commands this worker has taken: the store forgets those up to it. 0 when absent. */
  readonly heard?: number;
  /** Its answer to a `stack` command. */
  readonly stack?: WorkerStack;
}

export type BeatAnswer = 'ok' | 'cancel' | 'lost';

export interface HeartbeatAnswer {
  readonly now: number;
  /** In the order of the beats. */
  readonly beats: readonly BeatAnswer[];
  /** Commands above `heard`, by id. They come again with every beat until one confirms them. */
  readonly commands: readonly SentCommand[];
  /** Whether no server is alive, so that this worker must run the engine's services. */
  readonly noServer: boolean;
}

/** What became of one settlement. */
export type SettleResult =
  | { readonly outcome: 'applied' }
  /** The same settlement was applied before: a lost reply, repeated. */
  | { readonly outcome: 'alreadyApplied' }
  /** Applied, but to another state: its cancellation had been requested. */
  | { readonly outcome: 'diverted'; readonly to: TaskState }
  /** Another lease, or a later state, is in force: nothing was stored. */
  | { readonly outcome: 'stale' }
  | { readonly outcome: 'unknown' };

export interface SettleAnswer {
  readonly results: readonly SettleResult[];
  /** Answer of `claimNext`; empty without it. */
  readonly claimed: readonly ClaimedTask[];
}

export interface PromoteAnswer {
  readonly promoted: number;
  /** Until the first task that is still scheduled is due, 0 when it is already; `null` when there is none. */
  readonly nextInMs: number | null;
}

export interface OverdueRequest {
  /** Random 128 bit; the same token sent again returns the same unjudged tasks. */
  readonly token: string;
  readonly limit: number;
  /** How long the verdict may take before another judge may look. */
  readonly leaseMs: number;
  /** Workers proved dead (same host, process gone): their leases count as expired. */
  readonly deadWorkers: readonly string[];
}

export interface CancelRequest {
  readonly taskIds: readonly string[];
  /** Every unfinished task of this flow too (at most `limits.flowCancelMax` a call), and those that come to it later. */
  readonly flowId?: string | null;
  /** Words for people: who and why. */
  readonly reason: string | null;
  /**
   * Patterns of the queues that whoever asks reaches; absent is all. Where one of the tasks is unfinished in another queue, nothing is
   * done, no wish stays, and each of `taskIds` is answered `forbidden`.
   */
  readonly reach?: readonly string[];
}

export type CancelResult =
  | { readonly outcome: 'cancelled' }
  /** It runs: the wish is stored, the worker is told. */
  | { readonly outcome: 'requested' }
  | { readonly outcome: 'already'; readonly state: TaskState }
  /** It, or a task of its flow, is in a queue out of reach. */
  | { readonly outcome: 'forbidden' }
  | { readonly outcome: 'unknown' };

export type RetryResult =
  | { readonly outcome: 'queued'; readonly generation: number }
  /** One of its parents has not succeeded: it waits for it, or is judged by it. */
  | { readonly outcome: 'blocked'; readonly generation: number }
  | { readonly outcome: 'already'; readonly state: TaskState }
  /** Its key is held by another unfinished task. */
  | { readonly outcome: 'conflict'; readonly of: string }
  | { readonly outcome: 'unknown' };

export type RemoveResult =
  | { readonly outcome: 'removed' }
  | { readonly outcome: 'already'; readonly state: TaskState }
  | { readonly outcome: 'unknown' };

export interface TaskChange {
  readonly taskId: string;
  /** Refuses the change when the task has another version; `null` accepts any. */
  readonly version: number | null;
  readonly patch: TaskPatch;
}

export type UpdateResult =
  | { readonly outcome: 'updated'; readonly state: TaskState }
  | { readonly outcome: 'already'; readonly state: TaskState }
  | { readonly outcome: 'changed'; readonly version: number }
  | { readonly outcome: 'unknown' };

/** Whether a command waits for a worker now, and under which id. */
export type ControlResult = { readonly outcome: 'sent'; readonly id: number } | { readonly outcome: 'unknown' };

export type { DueSchedules, FireResult, PutResult, Schedules } from './schedules.ts';
export type { Scope, Settings, Signal };

/** A group that was configured. */
export interface GroupRecord {
  readonly name: string;
  /** `null` is 1. */
  readonly weight: number | null;
  readonly pause: Pause | null;
}

/** A limit that was configured, or that a running task holds. */
export interface LimitRecord extends LimitSettings {
  readonly name: string;
  readonly pause: Pause | null;
  /** Running tasks that carry it, counted up to `limits.limitSlotsMax`. */
  readonly held: number;
}

/** A queue as the store knows it: any that holds a task or was configured. */
export interface QueueRecord {
  readonly name: string;
  readonly pause: Pause | null;
  /** Tasks of it that may run at once, and start in a time; `null` is any number. */
  readonly max: number | null;
  readonly rate: Rate | null;
  /** Kept, not counted. */
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  /** Due time of the oldest queued task. */
  readonly oldestDueAt: number | null;
}

/** What is to be claimed of a queue, in true order. No task is named twice. */
export interface Peek {
  /**
   * What one claim of the queue alone, with as many slots as were asked about, would take now, in its order. As many claims of one
   * task, each made before anything else changes, take the same in the same order.
   */
  readonly next: readonly string[];
  /**
   * Queued tasks that this claim would leave: in the order in which they would be claimed behind the others if no pause, no full limit and
   * no rate held them back.
   */
  readonly held: readonly string[];
  /** Scheduled tasks behind those by their due time, as far as they are among the first `limits.peekScheduledMax` of the whole store. */
  readonly scheduled: readonly string[];
}

/** A task as it stands, and what its runs have left beside it. */
export interface TaskBody {
  readonly task: Task;
  /** Oldest first; an only run that succeeded is not among them. */
  readonly attempts: readonly Attempt[];
  /** Oldest first, the newest `limits.logLinesMax` of all runs. */
  readonly logs: readonly (LogLine & { readonly epoch: number })[];
}

/** How much the recorder has before it. */
export interface OutboxState {
  /** Of the last event, also when it was trimmed. */
  readonly lastSeq: number;
  /** Of the last event that was trimmed. */
  readonly trimmedSeq: number;
  /** When the oldest event that is kept was written; `null` without one. */
  readonly oldestAt: number | null;
}

/**
 * Events of a live store that is not the record, for the recorder. They tell who changed, not how: the recorder reads the tasks
 * themselves. So a task that finished is kept until the event of it is trimmed. `seq` grows by the number of tasks in an event, by
 * 1 for one without any: `lastSeq - trimmedSeq` is what the outbox holds. From `limits.outboxMax` on `enqueue`
 * and `restore` reject with OUTBOX_FULL; all other calls work, so that what runs can end.
 */
export interface Outbox {
  /** Events after `after`, oldest first, at most `limit`; waits up to `waitMs` for the first. */
  read(after: number, limit: number, waitMs: number): Promise<readonly BatchEvent[]>;
  /** The same for whoever else looks on: it trims nothing, and what is trimmed before it has looked is gone. Neither waits for the other. */
  follow(after: number, limit: number, waitMs: number): Promise<readonly BatchEvent[]>;
  /** Forgets the events up to `upTo`; none when the store is by now another than that of `incarnation`, where it is given. */
  trim(upTo: number, incarnation?: string): Promise<void>;
  state(): Promise<OutboxState>;
  /**
   * Of the first ids, in their order, as many as fit into `limits.bodiesBytesMax`, at least one; `null` for one that is not there
   * (any more).
   */
  bodies(taskIds: readonly string[]): Promise<readonly (TaskBody | null)[]>;
  /** How they stand, for whoever knows what they came with; `null` where that may not be all: see docs/seam.md. Of the first ids, as `bodies`. */
  stands(taskIds: readonly string[]): Promise<readonly (Stand | null)[]>;
}

/**
 * Calls that become part of an open transaction of the user's, on their connection: what is stored is there when, and if, they
 * commit. Meanwhile nobody else is blocked by it beyond what they hold themselves. `tx` is the connection, as the user has it.
 * Rejects with TX_NOT_JOINABLE for one that has no transaction open, or leads to other data; whatever it rejects with, it has
 * stored nothing, and the transaction goes on.
 */
export interface Transactions {
  enqueue(tx: unknown, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]>;
  settle(tx: unknown, settlements: readonly Settlement[]): Promise<readonly SettleResult[]>;
  /** Sends the hint that such a transaction was committed. */
  announce(): Promise<void>;
}

/**
 * A live store. Every method is one atomic step over a batch of at most `limits.batchMax` tasks and
 * `limits.batchBytesMax` bytes (else BATCH_TOO_LARGE, nothing done); results come in the order of the request.
 * A broker never decides policy: it moves tasks as told, checks fences, and keeps counts, keys and events true in
 * the same step. After a lost reply every call may be sent again: it either finds its own effect or repeats harmlessly.
 * Errors of the store are TaskFlowError STORE_* (anything else is taken for a refusal of what was sent), and every call
 * ends: an adapter gives up on a store that does not answer, for the loops above it wait. After `close` every call
 * rejects with STORE_CLOSED.
 */
export interface Broker {
  open(): Promise<void>;
  /** Waits for calls in flight. Closing twice is one close. */
  close(): Promise<void>;
  info(): Promise<BrokerInfo>;
  /**
   * Present where connections lead to the store: makes them anew. Calls under way end as on a lost connection, or by their deadlines;
   * those that come after go to the store on new ones. Nothing is lost by it.
   */
  reconnect?(): void;
  /** A store whose steps are costly asks `taker` when tasks are enqueued here; others may leave it at the signal. */
  subscribe(listener: (signal: Signal) => void, taker?: Taker): Unsubscribe;
  /** Whether a claim that found nothing may stand; see `ClaimRequest.standMs`. */
  readonly keepsClaims?: boolean;

  enqueue(tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]>;
  /** Inserts tasks with their state as they are (move, repair, import); ids that exist are left alone. Answers how many were new. */
  restore(tasks: readonly Task[]): Promise<number>;
  claim(request: ClaimRequest): Promise<readonly ClaimedTask[]>;
  heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer>;
  /** `claimNext` is claimed in the same step, after the settlements freed their slots. */
  settle(settlements: readonly Settlement[], claimNext?: ClaimRequest): Promise<SettleAnswer>;

  /** scheduled → queued for at most `limit` due tasks. */
  promote(limit: number): Promise<PromoteAnswer>;
  claimOverdue(request: OverdueRequest): Promise<readonly OverdueTask[]>;
  /** Removes at most `limit` finished tasks past their retention (and what else is past its time); answers how many tasks. */
  prune(limit: number): Promise<number>;

  /** Answers for `taskIds`, and after them for each task of the flow that was unfinished. */
  cancel(request: CancelRequest): Promise<readonly CancelResult[]>;
  /** A person's retry: finished → queued (blocked while a parent holds it), generation + 1, attempt 0. */
  retry(taskIds: readonly string[]): Promise<readonly RetryResult[]>;
  remove(taskIds: readonly string[]): Promise<readonly RemoveResult[]>;
  update(changes: readonly TaskChange[]): Promise<readonly UpdateResult[]>;

  configure(scope: Scope, name: string, settings: Settings): Promise<void>;
  /** Leaves a command for each of these workers until it has confirmed it. Throws INVALID_OPTION for slots out of bounds. */
  control(workerIds: readonly string[], command: WorkerCommand): Promise<readonly ControlResult[]>;

  getTasks(taskIds: readonly string[]): Promise<readonly (Task | null)[]>;
  /**
   * Results of tasks that the holder of this lease waited for, at most `limits.parentsFetchMax`. Present where `getTasks` is not for
   * workers. Throws LEASE_LOST.
   */
  resultsOf?(lease: Lease, taskIds: readonly string[]): Promise<readonly TaskResult[]>;
  /** How tasks stand, whatever else there is to know of them. Present where `getTasks` is not for workers. */
  endsOf?(taskIds: readonly string[]): Promise<readonly (TaskEnd | null)[]>;
  /**
   * Resolves with the task when it has ended, as soon as the server says so. Rejects with RESULT_TIMEOUT after `timeoutMs`, whatever the server
   * does; TASK_NOT_FOUND; what the server refuses for good; the reason of `signal`. Present where `endsOf` is.
   */
  finished?(taskId: string, timeoutMs: number, signal?: AbortSignal): Promise<TaskEnd>;
  getQueues(): Promise<readonly QueueRecord[]>;
  /**
   * The first `limit` tasks of a queue, at most `limits.peekMax` in all: see {@link Peek}. A claim that is made and not kept: the same choice by
   * the same code, which takes no slot, token, turn or lock. Who is past a deadline and waits for a judge is left out, as by a claim.
   */
  peek(queue: string, limit: number): Promise<Peek>;
  /** Those from the name `from` on, it included, by name; at most `limit`. */
  getGroups(from: string | null, limit: number): Promise<readonly GroupRecord[]>;
  getLimits(from: string | null, limit: number): Promise<readonly LimitRecord[]>;
  getWorkers(): Promise<readonly WorkerRecord[]>;
  inspect(taskIds: readonly string[]): Promise<readonly (Facts | null)[]>;

  readonly schedules: Schedules;
  /** Present exactly when the live store is not the history database. */
  readonly outbox?: Outbox;
  /** Present where transactions of the user's can have tasks in them. */
  readonly transactions?: Transactions;
}
