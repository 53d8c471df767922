/** What the memory store holds: plain maps, found by scanning, so that nobody has to believe in an index. */

import type { EdgeState } from '../../core/dependencies.ts';
import type { Attempt, BatchEvent } from '../../core/events.ts';
import type { Pause } from '../../core/facts.ts';
import type { WorkerRecord } from '../../core/presence.ts';
import type { ScheduleRecord } from '../../core/schedule.ts';
import type { LogLine, Task } from '../../core/task.ts';
import type { LimitState } from './limits.ts';
import type { GroupState, Round } from './turns.ts';

/** A task with what the store knows beside it. The task itself is never changed, only replaced. */
export interface Row {
  task: Task;
  /** Of the lease in force; `null` when the task does not run. */
  token: string | null;
  /** Of the last settlement that was applied: it answers a repeated one. */
  settledToken: string | null;
  judgeToken: string | null;
  judgeUntil: number | null;
  /** When a finished one may be pruned: a store that is not the record keeps it for a shorter time. */
  leavesAt: number | null;
  readonly attempts: Attempt[];
  readonly logs: (LogLine & { readonly epoch: number })[];
}

/** Who holds a key; `until` is `null` while the holder is unfinished. The holder of a kept key may be pruned. */
export interface HeldKey {
  readonly taskId: string;
  readonly until: number | null;
}

/** Everything stored. Two brokers over one state are two connections to one store. */
export interface MemoryState {
  /** Empty until a broker is made over it. */
  incarnation: string;
  /** The latest time any call has seen: the store's clock does not go back behind it. */
  lastNow: number;
  readonly rows: Map<string, Row>;
  readonly keys: Map<string, HeldKey>;
  /** Queues that were configured. */
  readonly queues: Map<string, { readonly pause: Pause | null }>;
  /** By queue: where the groups with tasks in it stand. Only of queues in which a task with a group was queued. */
  readonly rounds: Map<string, Round>;
  /** Groups that were configured. */
  readonly groups: Map<string, GroupState>;
  /** Limits that were configured, or whose tokens or slots were asked for. */
  readonly limits: Map<string, LimitState>;
  readonly schedules: Map<string, ScheduleRecord>;
  /** Child to parent to how the edge between them stands. */
  readonly edges: Map<string, Map<string, EdgeState>>;
  /** Flows that were cancelled: what comes to them later is cancelled too. */
  readonly cancelledFlows: Map<string, { readonly at: number; readonly reason: string | null }>;
  /** By the JSON text of [queue, task name, view]: how many tasks, kept with every change. */
  readonly counts: Map<string, number>;
  readonly presences: Map<string, WorkerRecord>;
  /** By worker: the highest id a command for it ever had. */
  readonly lastCommands: Map<string, number>;
  /** Oldest first. */
  readonly events: BatchEvent[];
  lastSeq: number;
  trimmedSeq: number;
  /** `null` where the events wait for no recorder. */
  readonly outbox: OutboxLimits | null;
}

/** What a store keeps that is not the record. */
export interface OutboxLimits {
  /** Tasks in events that wait for the recorder, see `limits.outboxMax`. */
  readonly outboxMax: number;
  /** See `limits.liveKeepMs`. */
  readonly liveKeepMs: number;
}

export function createMemoryState(outbox: OutboxLimits | null = null): MemoryState {
  return {
    incarnation: '',
    lastNow: 0,
    lastSeq: 0,
    trimmedSeq: 0,
    outbox,
    events: [],
    rows: new Map(),
    keys: new Map(),
    queues: new Map(),
    rounds: new Map(),
    groups: new Map(),
    limits: new Map(),
    schedules: new Map(),
    edges: new Map(),
    cancelledFlows: new Map(),
    counts: new Map(),
    presences: new Map(),
    lastCommands: new Map(),
  };
}

/** The tasks in the order they are claimed: priority, then age, then id. */
export function inClaimOrder(left: Row, right: Row): number {
  const a = left.task;
  const b = right.task;
  return a.priority - b.priority || a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1);
}
