/** The one public shape of a task: API answers, `--json`, pages and exports show exactly this. */

import { shownJson } from '../core/damaged.ts';
import type { Attempt, TimelineEntry } from '../core/events.ts';
import type { Facts, RelativeFact } from '../core/facts.ts';
import { parsePolicy } from '../core/policy.ts';
import type { WorkerRecord } from '../core/presence.ts';
import { type Reason, type TaskState, type TaskView, viewOf } from '../core/states.ts';
import type { LimitRule, LogLevel, LogLine, Progress, Task, TaskError } from '../core/task.ts';
import { isoTime } from '../core/time.ts';
import type { TaskRecord, TaskSummary } from '../history/history.ts';

/** A task in a list: everything but its input and result. Times are ISO 8601 in UTC or `null`, durations milliseconds. */
export interface TaskSummaryDocument {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: TaskState;
  /** The word shown for it: `retrying`, `expired` and `quarantined` are finer than the state. */
  readonly view: TaskView;
  readonly reason: Reason | null;
  readonly priority: number;
  /** Charged runs so far, including one that runs now. */
  readonly attempt: number;
  /** The most attempts its policy allows. */
  readonly attempts: number;
  /** Counts retries by a person, from 1. */
  readonly generation: number;
  readonly key: string | null;
  readonly tags: readonly string[];
  /** The schedule it comes from, and the time of that which it is for. */
  readonly schedule: { readonly name: string; readonly at: string } | null;
  /** The worker that runs it or ran it last. */
  readonly worker: string | null;
  readonly progress: Progress | null;
  readonly error: TaskError | null;
  readonly createdAt: string;
  readonly dueAt: string;
  readonly claimedAt: string | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly startBy: string | null;
  readonly expiresAt: string | null;
  readonly cancelRequestedAt: string | null;
  /** When it may be removed. */
  readonly pruneAt: string | null;
  readonly timeoutMs: number | null;
  /** How long the last run took, once it has ended; else `null`. */
  readonly tookMs: number | null;
}

/** A task in a list of tasks. Its error comes without the stack. */
export interface ListedTaskDocument extends TaskSummaryDocument {
  /** The beginning of the input on one line. */
  readonly preview: string;
}

/** One task. Numbers in `input` and `result` that a double cannot hold are kept as they were written. */
export interface TaskDocument extends TaskSummaryDocument {
  readonly input: unknown;
  /** What the handler returned; `null` until it succeeded. */
  readonly result: unknown;
  readonly cancelReason: string | null;
  readonly crashes: number;
  readonly interruptions: number;
  readonly snoozes: number;
  readonly version: number;
  /** With whose tasks it shares its turns; `null` is with all that have no group. */
  readonly group: string | null;
  /** What holds it back while others run: at most `max` at once, at most `count` starts per `perMs`. */
  readonly limits: readonly LimitRule[];
  /** What its steps left, in the order they were kept; later attempts of this generation do not run them again. */
  readonly steps: readonly StepDocument[];
}

/** One remembered step. */
export interface StepDocument {
  readonly name: string;
  /** `null` for a step that returned nothing. */
  readonly value: unknown;
}

/** One ended run of a task that did not simply succeed. */
export interface RunDocument {
  readonly attempt: number;
  readonly worker: string | null;
  readonly claimedAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string;
  readonly to: TaskState;
  readonly reason: Reason | null;
  readonly error: TaskError | null;
}

export interface TimelineDocument {
  readonly at: string;
  readonly kind: string;
  readonly text: string;
}

/** One task with what happened to it, oldest first. */
export interface TaskRecordDocument extends TaskDocument, RelativesDocument {
  /** The name of `worker`, while the store still knows it. */
  readonly workerName: string | null;
  readonly runs: readonly RunDocument[];
  readonly timeline: readonly TimelineDocument[];
}

/** The other end of a dependency. */
export interface RelativeDocument {
  readonly id: string;
  /** `null`, like `state`, when it is not in the store. */
  readonly name: string | null;
  readonly state: TaskState | null;
}

/** Whom a task waits for, and who waits for it; at most 100 of each. */
export interface RelativesDocument {
  /** The task that stands for the flow it belongs to; its own id where it is that. */
  readonly flow: string | null;
  /** Those that hold it back first. */
  readonly parents: readonly (RelativeDocument & { readonly holdsBack: boolean })[];
  /** How many parents hold it back, named or not. */
  readonly parentsLeft: number;
  readonly children: readonly RelativeDocument[];
}

export interface LogDocument {
  readonly at: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: unknown;
  /** Which claim of the task wrote it. */
  readonly epoch: number;
}

export function taskDocument(task: Task): TaskDocument {
  return {
    ...summary(task),
    input: shownJson(task.payload),
    result: task.result === null ? null : shownJson(task.result),
    cancelReason: task.cancelReason,
    crashes: task.crashes,
    interruptions: task.interruptions,
    snoozes: task.snoozes,
    version: task.version,
    group: task.group,
    limits: task.limits,
    steps: task.checkpoints.map(({ name, value }) => ({ name, value: value === null ? null : shownJson(value) })),
  };
}

export function listedTaskDocument(task: TaskSummary): ListedTaskDocument {
  const { error } = task;
  // Fifty stacks would weigh more than the list; the task's own document has it.
  return { ...summary(task), error: error === null ? null : { ...error, stack: null }, preview: task.preview };
}

/**
 * `live` is what the live store says of it now, when it still holds the task: the record may be behind. `workers` are
 * those the store knows, for their names; `facts` of the store know its relatives.
 */
export function taskRecordDocument(
  record: TaskRecord,
  live: Task | null,
  workers: readonly NamedWorker[],
  facts: Pick<Facts, 'parents' | 'parentsLeft' | 'children'> | null,
): TaskRecordDocument {
  const task = live ?? record.task;
  const document = taskDocument(task);
  return {
    ...document,
    flow: task.flowId,
    parents: (facts?.parents ?? []).map((parent) => ({ ...relative(parent), holdsBack: parent.edge !== 'done' })),
    parentsLeft: facts?.parentsLeft ?? 0,
    children: (facts?.children ?? []).map(relative),
    workerName: workers.find(({ workerId }) => workerId === document.worker)?.name ?? null,
    runs: record.attempts.map(runDocument),
    timeline: timelineDocuments(record.timeline, workers),
  };
}

export function logDocument(line: LogLine & { readonly epoch: number }): LogDocument {
  const { level, message, epoch } = line;
  return {
    at: isoTime(line.at),
    level,
    message,
    fields: line.fields === null ? null : shownJson(line.fields),
    epoch,
  };
}

function summary(task: Omit<TaskSummary, 'view' | 'preview'>): TaskSummaryDocument {
  const {
    id,
    name,
    queue,
    state,
    reason,
    priority,
    attempt,
    generation,
    key,
    tags,
    progress,
    error,
    timeoutMs,
    firedBy,
  } = task;
  const ended = task.finishedAt !== null && task.startedAt !== null;
  return {
    id,
    name,
    queue,
    state,
    view: viewOf(task),
    reason,
    priority,
    attempt,
    attempts: parsePolicy(task.policy).attempts,
    generation,
    key,
    tags,
    schedule: firedBy === null ? null : { name: firedBy.schedule, at: isoTime(firedBy.at) },
    worker: task.workerId,
    progress,
    error,
    createdAt: isoTime(task.createdAt),
    dueAt: isoTime(task.dueAt),
    claimedAt: isoTime(task.claimedAt),
    startedAt: isoTime(task.startedAt),
    finishedAt: isoTime(task.finishedAt),
    startBy: isoTime(task.startBy),
    expiresAt: isoTime(task.expiresAt),
    cancelRequestedAt: isoTime(task.cancelRequestedAt),
    pruneAt: isoTime(task.pruneAt),
    timeoutMs,
    tookMs: ended ? (task.finishedAt ?? 0) - (task.startedAt ?? 0) : null,
  };
}

function relative({ taskId, name, state }: RelativeFact): RelativeDocument {
  return { id: taskId, name, state };
}

function runDocument(run: Attempt): RunDocument {
  return {
    attempt: run.attempt,
    worker: run.workerId,
    claimedAt: isoTime(run.claimedAt),
    startedAt: isoTime(run.startedAt),
    endedAt: isoTime(run.endedAt),
    to: run.to,
    reason: run.reason,
    error: run.error,
  };
}

/** A worker as the timeline needs it. */
export type NamedWorker = Pick<WorkerRecord, 'workerId' | 'name'>;

/** The sentences of a timeline know workers by their ids, which nobody sees elsewhere; those still known get their names. */
export function timelineDocuments(
  timeline: readonly TimelineEntry[],
  workers: readonly NamedWorker[],
): readonly TimelineDocument[] {
  return timeline.map(({ at, kind, text }) => {
    const worker = workers.find(({ workerId }) => text.includes(workerId));
    return { at: isoTime(at), kind, text: worker === undefined ? text : text.replaceAll(worker.workerId, worker.name) };
  });
}
