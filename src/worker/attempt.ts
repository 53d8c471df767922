/** One claimed task in this worker, from its claim until its settlement was answered. */

import type { Beat } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { RedactionOf } from '../core/redact.ts';
import { createScrub, type Scrub, scrubError, scrubLine, scrubProgress } from '../core/redact-task.ts';
import type {
  ClaimedTask,
  Lease,
  LogLine,
  NewTask,
  Outcome,
  Progress,
  Settlement,
  Task,
  TaskError,
  Verdict,
} from '../core/task.ts';
import type { RunTrace } from '../telemetry/tracing.ts';
import type { Pool } from './pools.ts';
import type { Steps } from './steps.ts';
import type { StrayKind } from './strays.ts';
import type { Timed } from './wheel.ts';

/**
 * `waiting`: claimed, no slot yet. `running`: its handler has a slot. `settling`: its verdict waits for the store.
 * `over`: nothing is owed to the store any more.
 */
export type Phase = 'waiting' | 'running' | 'settling' | 'over';

/** Why a run was told to end. `stray`: it left an error behind that nobody caught; `exit`: it called `process.exit`. */
export type AbortKind = 'timeout' | 'life' | 'cancel' | 'lost' | 'stopping' | 'stray' | 'exit';

/** Who runs an attempt. */
export interface AttemptOwner {
  /** A deadline has passed. */
  expire(attempt: Attempt): void;
  /** Its handler, or something that handler left behind, did what nobody caught. */
  stray(attempt: Attempt, kind: StrayKind, thrown: unknown): void;
  /** What is hidden of tasks. */
  readonly redactionOf: RedactionOf;
}

/** Plain fields and no closures: thousands of these are made each second. */
export class Attempt implements Timed {
  readonly task: Task;
  readonly lease: Lease;
  readonly runMs: number | null;
  readonly boundByLife: boolean;
  readonly pool: Pool;
  /** When the claim that was answered was sent and when the task arrived here, in ms of `clock.elapsed()`. */
  readonly claimedAt: number;
  readonly arrivedAt: number;
  /** Until when the lease may be trusted without a word of the store: sending time + 0.9 × lease. */
  trustUntil: number;
  phase: Phase = 'waiting';
  /** When the handler began, and how long it ran in the end; `null` until then. */
  startedAt: number | null = null;
  ranMs: number | null = null;
  verdict: Verdict | null = null;
  /** What the verdict was made of. */
  outcome: Outcome | null = null;
  /** Why it was told to end, with the error its signal carries; the lost lease outranks every other reason. */
  abortKind: AbortKind | null = null;
  abortReason: unknown = null;
  /** Whether the store itself said that the lease is gone. */
  lostForSure = false;
  /** Whether the handler ignored its abort for longer than the grace, so that its slot was opened again. */
  stuck = false;
  /** Whether a person may have cancelled it: the next heartbeat asks. */
  asked = false;
  startReported = false;
  /** Set while its handler waits until the store knows of its start, or until it is told to end. */
  onStartKnown: (() => void) | null = null;
  /** How often the store refused its settlement. */
  refusals = 0;
  progress: Progress | null = null;
  progressChanged = false;
  logs: LogLine[] = [];
  logLines = 0;
  /** How the tasks stood that it waited for. */
  parents: ClaimedTask['parents'];
  /** What its handler brings along, when it succeeds; bytes of their payloads. */
  spawned: NewTask[] | null = null;
  spawnedBytes = 0;
  spawnCalls = 0;
  /** Made on the first step. */
  steps: Steps | null = null;
  /** How it ended in a transaction of its handler's, which may or may not have been committed. */
  completed: Verdict | null = null;
  /** What its handler said last: a step, its progress, a line of its log. */
  lastWords: string | null = null;
  bucket = -1;
  #controller: AbortController | null = null;
  /** Ends the process of an isolated run at once; `null` for a run in this process. */
  kill: (() => void) | null = null;
  /** The span of its run; `null` where nobody makes spans. */
  trace: RunTrace | null = null;
  /** Takes hidden values of its input out of texts; made when there is a text to tell. */
  #scrub: Scrub | null | undefined;
  readonly owner: AttemptOwner;

  constructor(
    claimed: ClaimedTask,
    pool: Pool,
    claimedAt: number,
    arrivedAt: number,
    trustUntil: number,
    owner: AttemptOwner,
  ) {
    this.task = claimed.task;
    this.lease = claimed.lease;
    this.parents = claimed.parents;
    this.runMs = claimed.runMs;
    this.boundByLife = claimed.boundByLife;
    this.pool = pool;
    this.claimedAt = claimedAt;
    this.arrivedAt = arrivedAt;
    this.trustUntil = trustUntil;
    this.owner = owner;
  }

  /** Made on first use: most handlers never look at it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.abortKind !== null) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  /** Tells the handler to end. The first reason stays, unless the lease is lost. */
  abort(kind: AbortKind, reason: unknown): void {
    if (this.abortKind !== null && kind !== 'lost') return;
    this.abortKind = kind;
    this.abortReason = reason;
    this.#controller?.abort(reason);
    this.onStartKnown?.();
    if (kind === 'lost') this.refuseSteps();
  }

  /** Nobody will keep what its steps wait for. */
  refuseSteps(): void {
    this.steps?.refuse(taskFlowError('LEASE_LOST', { id: this.task.id }));
  }

  expire(): void {
    this.owner.expire(this);
  }

  /** Whether another log line of it is kept. */
  get takesLogs(): boolean {
    return this.phase === 'running' && this.logLines <= limits.logLinesMax;
  }

  /** `null` where nothing of its input is hidden. */
  get scrub(): Scrub | null {
    if (this.#scrub === undefined) {
      const redaction = this.owner.redactionOf(this.task.policy);
      this.#scrub = redaction === null ? null : createScrub(redaction, this.task.payload);
    }
    return this.#scrub;
  }

  /** How far it is, as it may be told. */
  keepProgress(progress: Progress): void {
    this.progress = this.scrub === null ? progress : scrubProgress(progress, this.scrub);
    this.progressChanged = true;
  }

  /** What was thrown, as it may be told: never with a hidden value in its words. */
  tellable(error: TaskError): TaskError {
    return this.scrub === null ? error : scrubError(this.task.name, error, this.scrub);
  }

  /** Keeps a log line, or a word in place of the first one too many. */
  keepLog(line: LogLine): void {
    if (!this.takesLogs) return;
    this.logLines += 1;
    const message = `Only ${limits.logLinesMax} lines of an attempt are kept; the rest was dropped.`;
    const told = this.scrub === null ? line : scrubLine(line, this.scrub);
    this.logs.push(this.logLines > limits.logLinesMax ? { ...line, level: 'warn', message, fields: null } : told);
    this.lastWords = told.message.slice(0, limits.progressNoteMax).toWellFormed();
  }

  /** Throws LEASE_LOST when the handler no longer speaks for the task. */
  assertHeld(): void {
    if (this.abortKind === 'lost' || this.stuck) throw taskFlowError('LEASE_LOST', { id: this.task.id });
  }

  /** Whether the next heartbeat should not wait for the renewal of the lease. */
  get hasNews(): boolean {
    return (
      this.asked ||
      (this.phase === 'running' &&
        (((this.startedAt !== null || this.onStartKnown !== null) && !this.startReported) ||
          this.progressChanged ||
          this.logs.length > 0 ||
          this.steps?.hasUnsent === true))
    );
  }

  /** The beat of now; log lines and steps, of at most `stepBytesMax`, leave the attempt with it. */
  takeBeat(elapsed: number, stepBytesMax: number): Beat {
    const startedAt = this.startedAt ?? (this.onStartKnown === null ? null : elapsed);
    const ranMs = startedAt === null ? null : Math.max(0, Math.round(elapsed - startedAt));
    const logs = this.phase === 'running' ? this.logs : [];
    if (logs.length > 0) this.logs = [];
    const progress = this.progressChanged ? this.progress : null;
    this.progressChanged = false;
    this.asked = false;
    const checkpoints =
      this.steps?.hasUnsent === true && this.phase === 'running' ? this.steps.send(stepBytesMax) : noCheckpoints;
    return { lease: this.lease, ranMs, progress, logs, checkpoints };
  }

  /** Takes the news of a beat back that may not have arrived. */
  restoreBeat(beat: Beat): void {
    if (beat.logs.length > 0) this.logs = [...beat.logs, ...this.logs];
    if (beat.progress !== null) this.progressChanged = true;
    this.steps?.restore(beat.checkpoints);
  }

  /** What to tell the store; only with a verdict. Made anew for each sending, so that it carries the latest news. */
  settlement(verdict: Verdict): Settlement {
    const { lease, ranMs, progress, logs, outcome } = this;
    const spawn = this.spawnedWith(verdict);
    return outcome === null
      ? { lease, verdict, ranMs, progress, logs, spawn }
      : { lease, verdict, ranMs, progress, logs, spawn, outcome };
  }

  /** A run that fails brings nothing along. */
  spawnedWith({ to }: Verdict): Settlement['spawn'] {
    return this.spawned !== null && (to === 'succeeded' || to === 'blocked') ? this.spawned : noTasks;
  }

  /** What a handler elsewhere has brought along. */
  takeSpawned(tasks: readonly NewTask[]): void {
    if (tasks.length === 0) return;
    this.spawned = [...tasks];
    this.spawnedBytes = tasks.reduce((bytes, { payload }) => bytes + utf8Length(payload), 0);
  }

  /** For what its handler brings along: the span of the run, else what the task itself came with. */
  get traceparent(): string | null {
    return this.trace?.traceparent ?? this.task.traceparent;
  }

  /** Throws BATCH_TOO_LARGE for more than one settlement may carry. */
  spawn(task: NewTask): void {
    const spawned = this.spawned ?? [];
    const bytes = this.spawnedBytes + utf8Length(task.payload);
    if (spawned.length >= limits.batchMax)
      throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchMax} tasks`, actual: spawned.length + 1 });
    if (bytes > limits.batchBytesMax)
      throw taskFlowError('BATCH_TOO_LARGE', { max: `${limits.batchBytesMax} bytes of payload`, actual: bytes });
    spawned.push(task.traceparent === null ? { ...task, traceparent: this.traceparent } : task);
    this.spawned = spawned;
    this.spawnedBytes = bytes;
  }
}

const noTasks: Settlement['spawn'] = [];
const noCheckpoints: Beat['checkpoints'] = [];
