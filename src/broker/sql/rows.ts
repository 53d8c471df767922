/** How a task is written in its row, and read back. */

import {
  areOptions,
  corruptTag,
  readStored,
  readStoredCheckpoints,
  readStoredError,
  readStoredProgress,
  unreadableSteps,
} from '../../core/damaged.ts';
import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type {
  Checkpoint,
  Dependency,
  FiredBy,
  IfExists,
  LimitRule,
  NewTask,
  Progress,
  Task,
  TaskError,
} from '../../core/task.ts';

/** The columns of a whole task in the order of {@link TaskRow}. */
export const taskColumns = `id, queue, name, state, reason, priority, version, epoch, attempt, generation, crashes, interruptions, snoozes,
  due_at, created_at, claimed_at, started_at, finished_at, prune_at, lease_until, worker_id, start_by, expires_at, timeout_ms, keep_ms,
  key, cancel_requested_at, cancel_reason, schema_version, options, policy, progress, checkpoints, error, result, payload`;

/** The same for lists: without what may be large, and with the beginning of the payload, more than `preview` looks at. */
export const summaryColumns = taskColumns.replace(
  'checkpoints, error, result, payload',
  'NULL, error, NULL, substr(payload, 1, 500)',
);

/** A row of {@link taskColumns}. */
export type TaskRow = readonly [
  id: string,
  queue: string,
  name: string,
  state: TaskState,
  reason: Reason | null,
  priority: number,
  version: number,
  epoch: number,
  attempt: number,
  generation: number,
  crashes: number,
  interruptions: number,
  snoozes: number,
  dueAt: number,
  createdAt: number,
  claimedAt: number | null,
  startedAt: number | null,
  finishedAt: number | null,
  pruneAt: number | null,
  leaseUntil: number | null,
  workerId: string | null,
  startBy: number | null,
  expiresAt: number | null,
  timeoutMs: number | null,
  keepMs: number,
  key: string | null,
  cancelRequestedAt: number | null,
  cancelReason: string | null,
  schemaVersion: string | null,
  options: string | null,
  policy: string,
  progress: string | null,
  checkpoints: string | null,
  error: string | null,
  result: string | null,
  payload: string,
];

/** What most tasks do not have, in one column: a column costs every row of every task, a column of NULLs too. */
interface Options {
  readonly strictCancel: boolean;
  readonly group: string | null;
  readonly limits: readonly LimitRule[];
  readonly keyForMs: number | null;
  readonly ifExists: IfExists;
  readonly dependsOn: readonly Dependency[];
  readonly flowId: string | null;
  readonly tags: readonly string[];
  readonly traceparent: string | null;
  readonly firedBy: FiredBy | null;
  /** Whether others wait, or have waited, for it: what ends it looks for them. Of the row, not of the task. */
  readonly hasChildren?: boolean;
}

const plain: Options = {
  strictCancel: false,
  group: null,
  limits: [],
  keyForMs: null,
  ifExists: 'return',
  dependsOn: [],
  flowId: null,
  tags: [],
  traceparent: null,
  firedBy: null,
};

/** The rare fields of a task as JSON text, `null` when it has none of them. What is as in most tasks is left out. */
export function encodeOptions(task: Options): string | null {
  if (isPlain(task)) return null;
  const { strictCancel, group, keyForMs, ifExists, dependsOn, flowId, tags, traceparent, firedBy, hasChildren } = task;
  return JSON.stringify({
    ...(strictCancel && { strictCancel }),
    ...(group !== null && { group }),
    // The names beside the rules, so that a claim finds them as a plain list.
    ...(task.limits.length > 0 && { limits: task.limits, limitNames: task.limits.map(({ name }) => name) }),
    ...(keyForMs !== null && { keyForMs }),
    ...(ifExists !== 'return' && { ifExists }),
    ...(dependsOn.length > 0 && { dependsOn }),
    ...(flowId !== null && { flowId }),
    ...(tags.length > 0 && { tags }),
    ...(traceparent !== null && { traceparent }),
    ...(firedBy !== null && { firedBy }),
    ...(hasChildren === true && { hasChildren }),
  });
}

/** Whether others wait, or have waited, for a task, told from its text alone: within a string of JSON the quotes would be escaped. */
export function carriesChildren(options: string | null): boolean {
  return options?.includes('"hasChildren":true') ?? false;
}

/** Whether a task has none of them. */
export function isPlain(task: Options): boolean {
  return (
    !task.strictCancel &&
    task.group === null &&
    task.limits.length === 0 &&
    task.keyForMs === null &&
    task.ifExists === 'return' &&
    task.dependsOn.length === 0 &&
    task.flowId === null &&
    task.tags.length === 0 &&
    task.traceparent === null &&
    task.firedBy === null &&
    task.hasChildren !== true
  );
}

/**
 * A task's options are read three times by its claim and twice by its settlement, which was 6 of the 50 µs of a task with key,
 * group and limit: so many texts are remembered, two batches of the largest size, and forgotten together.
 */
const decodedMax = 2_000;
/** A task with thousands of parents has a long text, and another one with each parent it gains. */
const decodedTextMax = 4_000;
const decoded = new Map<string, Options>();

export function decodeOptions(text: string | null): Options {
  if (text === null) return plain;
  const known = decoded.get(text);
  if (known !== undefined) return known;
  const options: Options = { ...plain, ...readStored<Partial<Options>>(text, areOptions, { tags: [corruptTag] }) };
  if (text.length > decodedTextMax) return options;
  if (decoded.size >= decodedMax) decoded.clear();
  decoded.set(text, options);
  return options;
}

export function encodeJson(value: Progress | TaskError | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

export function encodeCheckpoints(checkpoints: readonly Checkpoint[]): string | null {
  return checkpoints.length === 0 ? null : JSON.stringify(checkpoints);
}

const noCheckpoints: readonly Checkpoint[] = [];

export function decodeCheckpoints(text: string | null): readonly Checkpoint[] {
  return text === null ? noCheckpoints : readStoredCheckpoints(text);
}

/** The task in a row of {@link taskColumns}. */
export function toTask(row: TaskRow): Task {
  const options = decodeOptions(row[29]);
  const checkpoints = decodeCheckpoints(row[32]);
  return {
    id: row[0],
    name: row[2],
    queue: row[1],
    payload: row[35],
    schemaVersion: row[28],
    priority: row[5],
    timeoutMs: row[23],
    policy: row[30],
    keepMs: row[24],
    strictCancel: options.strictCancel,
    group: options.group,
    limits: options.limits,
    key: row[25],
    keyForMs: options.keyForMs,
    ifExists: options.ifExists,
    dependsOn: options.dependsOn,
    flowId: options.flowId,
    tags: checkpoints === unreadableSteps ? [...options.tags, corruptTag] : options.tags,
    traceparent: options.traceparent,
    // Absent where there is none, and from rows of versions before schedules.
    firedBy: options.firedBy ?? null,
    state: row[3],
    reason: row[4],
    version: row[6],
    epoch: row[7],
    attempt: row[8],
    generation: row[9],
    crashes: row[10],
    interruptions: row[11],
    snoozes: row[12],
    workerId: row[20],
    leaseUntil: row[19],
    cancelRequestedAt: row[26],
    cancelReason: row[27],
    progress: row[31] === null ? null : readStoredProgress(row[31]),
    checkpoints,
    result: row[34],
    error: row[33] === null ? null : readStoredError(row[33]),
    createdAt: row[14],
    dueAt: row[13],
    startBy: row[21],
    expiresAt: row[22],
    claimedAt: row[15],
    startedAt: row[16],
    finishedAt: row[17],
    pruneAt: row[18],
  };
}

/** When a waiting task may need a verdict: the earlier of its start deadline and the end of its life. */
export function waitingCheckAt(startBy: number | null, expiresAt: number | null): number | null {
  if (startBy === null) return expiresAt;
  return expiresAt === null ? startBy : Math.min(startBy, expiresAt);
}

/** The same by state: what is blocked is not due, so that its start deadline has not begun. */
export function checkAtOf(state: TaskState, startBy: number | null, expiresAt: number | null): number | null {
  return state === 'blocked' ? expiresAt : waitingCheckAt(startBy, expiresAt);
}

/** When a running task may need one, at the earliest: heartbeats only move that later. */
export function runningCheckAt(task: RunningTimes): number {
  let at = task.leaseUntil ?? Number.MAX_SAFE_INTEGER;
  if (task.expiresAt !== null) at = Math.min(at, task.expiresAt);
  const startedAt = task.startedAt ?? task.claimedAt;
  if (task.timeoutMs !== null && startedAt !== null) at = Math.min(at, startedAt + task.timeoutMs + limits.graceMs);
  if (task.cancelRequestedAt !== null) at = Math.min(at, task.cancelRequestedAt + limits.graceMs);
  return at;
}

type RunningTimes = Pick<
  Task,
  'leaseUntil' | 'expiresAt' | 'startedAt' | 'claimedAt' | 'timeoutMs' | 'cancelRequestedAt'
>;

/** Same name, payload and key: the call is a repetition. Not the queue: a person may have moved the task since. */
export function hasSameBody(known: Pick<NewTask, 'name' | 'payload' | 'key'>, task: NewTask): boolean {
  return known.name === task.name && known.payload === task.payload && known.key === task.key;
}

/** Task ids as the JSON list a statement takes. Ids have no character that needs an escape, but hostile ones may. */
export function idList(taskIds: readonly string[]): string {
  return JSON.stringify(taskIds);
}

/** The order of claims: priority, then age, then id. */
export function inClaimOrder(left: Task, right: Task): number {
  return left.priority - right.priority || left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1);
}
