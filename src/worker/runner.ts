/** Runs one attempt: payload, input, middleware, handler, output, outcome. Whatever a handler does, the worker lives on. */

import type { Context, Middleware, TaskDefinition } from '../core/definition.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { toTaskError } from '../core/error-facts.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { encodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { Outcome } from '../core/task.ts';
import { type Clock, onNextTurn } from '../core/time.ts';
import { isFatal, isSnooze } from '../core/verdicts.ts';
import type { Attempt } from './attempt.ts';
import { createContext } from './context.ts';
import { lacksSchedule, readInput } from './input.ts';
import type { Wheel } from './wheel.ts';

export interface RunnerOptions {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly middleware: readonly Middleware[];
  readonly clock: Clock;
  readonly wheel: Wheel;
  /** How long a handler may take to end after its abort. */
  readonly graceMs: number;
  /** The handler is about to begin. */
  readonly onStarted: (attempt: Attempt) => void;
  /** Something should reach the store before the next renewal. */
  readonly onNews: () => void;
  /** A handler waits until the store has its step. */
  readonly onStep: () => void;
  /** The outcome is known; called exactly once for an attempt. */
  readonly onOutcome: (attempt: Attempt, outcome: Outcome) => void;
  /** The slot is free again; for a stuck handler long after its outcome, or never. */
  readonly onEnded: (attempt: Attempt) => void;
  /** The handler ignored its abort for longer than the grace. */
  readonly onStuck: (attempt: Attempt) => void;
}

export interface Runner {
  /** Takes the slot and runs; returns at once and never throws. */
  run(attempt: Attempt): void;
  /** Tells the handler to end, and stops waiting for it after the grace. */
  abort(attempt: Attempt, kind: 'cancel' | 'lost' | 'stopping'): void;
  /** The deadline of the attempt passed: first the run's, then the grace's. */
  expire(attempt: Attempt): void;
}

export function createRunner(options: RunnerOptions): Runner {
  const { clock, wheel } = options;
  const turn = createTurn(clock);

  function run(attempt: Attempt): void {
    attempt.phase = 'running';
    if (attempt.runMs !== null)
      wheel.set(attempt, (attempt.boundByLife ? attempt.claimedAt : clock.elapsed()) + attempt.runMs);
    void execute(attempt)
      .catch((thrown) => unreadableOutcome(attempt, thrown))
      .then((outcome) => end(attempt, outcome));
  }

  /** Rejects only when what was thrown throws again as it is looked at. */
  async function execute(attempt: Attempt): Promise<Outcome> {
    const { task } = attempt;
    const definition = options.definitions.get(task.name);
    if (definition === undefined || definition.run === null || lacksSchedule(task, definition))
      return { kind: 'unknownTask' };
    let input: unknown;
    try {
      input = await readInput(task, definition);
    } catch (thrown) {
      return inputOutcome(attempt, thrown);
    }
    if (turn.isLong()) await turn.next();
    // A validation that waits can outlive the right to run.
    if (attempt.abortKind !== null) return abortedOutcome(attempt, attempt.abortReason);
    attempt.startedAt = clock.elapsed();
    options.onStarted(attempt);
    try {
      const context = createContext(attempt, options);
      const output = await (options.middleware.length === 0
        ? definition.run(input, context)
        : wrapped(options.middleware, definition, input, context));
      return { kind: 'done', result: encodeResult(task.name, await definition.parseOutput(output)) };
    } catch (thrown) {
      return errorOutcome(attempt, definition, thrown);
    }
  }

  function end(attempt: Attempt, outcome: Outcome): void {
    wheel.clear(attempt);
    if (attempt.phase === 'running') {
      attempt.ranMs = attempt.startedAt === null ? null : Math.max(0, Math.round(clock.elapsed() - attempt.startedAt));
      options.onOutcome(attempt, outcome);
    }
    options.onEnded(attempt);
  }

  function abort(attempt: Attempt, kind: 'cancel' | 'lost' | 'stopping'): void {
    if (attempt.phase !== 'running') return;
    const waitsAlready = attempt.abortKind !== null;
    attempt.abort(kind, reasonOf(attempt, kind));
    if (!waitsAlready) wheel.set(attempt, clock.elapsed() + options.graceMs);
  }

  function expire(attempt: Attempt): void {
    if (attempt.phase !== 'running') return;
    if (attempt.abortKind === null) {
      const kind = attempt.boundByLife ? 'life' : 'timeout';
      attempt.abort(kind, reasonOf(attempt, kind));
      wheel.set(attempt, clock.elapsed() + options.graceMs);
      return;
    }
    // A stopping worker ends soon and must not hand back what still runs: its lease has to run out.
    if (attempt.abortKind === 'stopping') return;
    attempt.ranMs = attempt.startedAt === null ? null : Math.max(0, Math.round(clock.elapsed() - attempt.startedAt));
    const outcome = abortedOutcome(attempt, attempt.abortReason);
    attempt.stuck = true;
    attempt.refuseSteps();
    options.onOutcome(attempt, outcome);
    options.onStuck(attempt);
  }

  return { run, abort, expire };
}

/**
 * Keeps handlers that compute without waiting from starting one behind the other for so long that no heartbeat gets
 * its turn. `isLong` is true when handlers have been starting for `limits.turnMs` in this turn of the event loop.
 */
function createTurn(clock: Pick<Clock, 'elapsed'>): { isLong(): boolean; next(): Promise<void> } {
  let startedAt: number | null = null;
  const next = (): Promise<void> => new Promise((resolve) => onNextTurn(resolve));
  const isLong = (): boolean => {
    if (startedAt !== null) return clock.elapsed() - startedAt > limits.turnMs;
    startedAt = clock.elapsed();
    onNextTurn(() => {
      startedAt = null;
    });
    return false;
  };
  return { isLong, next };
}

function wrapped(
  middleware: readonly Middleware[],
  definition: TaskDefinition,
  input: unknown,
  context: Context,
): Promise<unknown> {
  const run = { id: context.id, name: context.name, attempt: context.attempt, input };
  const call = (index: number): Promise<unknown> => {
    const layer = middleware[index];
    if (layer === undefined) return Promise.resolve(definition.run?.(input, context));
    let called = false;
    return layer(run, async () => {
      if (called) throw new Error('A middleware called next() twice.');
      called = true;
      return call(index + 1);
    });
  };
  return call(0);
}

function encodeResult(taskName: string, output: unknown): string | null {
  if (output === undefined) return null;
  return encodeJson(output, {
    what: `The result of ${taskName}`,
    bytesMax: limits.resultBytesMax,
    depthMax: limits.jsonDepthMax,
    tooLarge: 'RESULT_TOO_LARGE',
  });
}

function inputOutcome(attempt: Attempt, thrown: unknown): Outcome {
  const error = toTaskError(attempt.task.name, thrown);
  if (thrown instanceof TaskFlowError && undecodable.has(thrown.code)) return { kind: 'undecodable', error };
  // The schema itself failed, perhaps because something it asks was away.
  return { kind: 'error', error, retryable: true, retryAfterMs: null };
}

const undecodable: ReadonlySet<string> = new Set([
  'INVALID_INPUT',
  'INVALID_JSON',
  'PAYLOAD_NOT_JSON',
  'PAYLOAD_TOO_DEEP',
  'PAYLOAD_TOO_LARGE',
]);
/** The same handler would do the same again, and its effects a second time. */
const hopeless: ReadonlySet<string> = new Set([
  'RESULT_TOO_LARGE',
  'PAYLOAD_NOT_JSON',
  'PAYLOAD_TOO_DEEP',
  'STEP_TOO_LARGE',
  'STEP_NAME_TAKEN',
]);

function errorOutcome(attempt: Attempt, definition: TaskDefinition, thrown: unknown): Outcome {
  const { task } = attempt;
  if (isFatal(thrown)) return { kind: 'giveUp', error: toTaskError(task.name, thrown) };
  if (attempt.abortKind !== null) return abortedOutcome(attempt, thrown);
  if (isSnooze(thrown)) return { kind: 'snooze', delayMs: thrown.delayMs };
  const { retryable, retryAfterMs } = retryOf(definition, thrown, task.attempt);
  return { kind: 'error', error: toTaskError(task.name, thrown), retryable, retryAfterMs };
}

/** What was thrown is a revoked proxy, or has fields that throw: all there is to tell is that it failed. */
function unreadableOutcome(attempt: Attempt, thrown: unknown): Outcome {
  return { kind: 'error', error: toTaskError(attempt.task.name, thrown), retryable: true, retryAfterMs: null };
}

/** What a run that was told to end amounts to. */
function abortedOutcome(attempt: Attempt, thrown: unknown): Outcome {
  const { name } = attempt.task;
  switch (attempt.abortKind) {
    case 'timeout':
    case 'life':
      return { kind: 'timedOut', error: toTaskError(name, attempt.abortReason), byLife: attempt.abortKind === 'life' };
    case 'cancel':
      // Another error than the wish itself is worth keeping; the store cancels the task all the same.
      return isAbort(attempt, thrown)
        ? { kind: 'aborted' }
        : { kind: 'error', error: toTaskError(name, thrown), retryable: true, retryAfterMs: null };
    default:
      return { kind: 'released' };
  }
}

function isAbort(attempt: Attempt, thrown: unknown): boolean {
  return (
    thrown === attempt.abortReason ||
    (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.cause === attempt.abortReason))
  );
}

function retryOf(
  definition: TaskDefinition,
  thrown: unknown,
  attempt: number,
): { readonly retryable: boolean; readonly retryAfterMs: number | null } {
  if (thrown instanceof TaskFlowError && hopeless.has(thrown.code)) return { retryable: false, retryAfterMs: null };
  const retryAfterMs = askedDelayMs(thrown);
  if (definition.retryOn === null) return { retryable: true, retryAfterMs };
  try {
    const answer = definition.retryOn(thrown, attempt);
    if (typeof answer === 'boolean') return { retryable: answer, retryAfterMs };
    return { retryable: true, retryAfterMs: parseDuration(answer, 'retry.on') };
  } catch {
    // A rule that fails must not decide: the policy does.
    return { retryable: true, retryAfterMs };
  }
}

/** `retryAfterMs` of the error, as clients of services with Retry-After set it. */
function askedDelayMs(thrown: unknown): number | null {
  if (!(thrown instanceof Error)) return null;
  const { retryAfterMs } = thrown as { readonly retryAfterMs?: unknown };
  return typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs) && retryAfterMs >= 0 ? retryAfterMs : null;
}

function reasonOf(attempt: Attempt, kind: 'timeout' | 'life' | 'cancel' | 'lost' | 'stopping'): TaskFlowError {
  const { id, name } = attempt.task;
  switch (kind) {
    case 'timeout':
    case 'life':
      return taskFlowError('HANDLER_TIMEOUT', { timeout: formatDuration(attempt.runMs ?? 0) });
    case 'cancel':
      return taskFlowError('TASK_CANCELLED', { name, id, reason: 'user' });
    case 'lost':
      return taskFlowError('LEASE_LOST', { id });
    case 'stopping':
      return taskFlowError('WORKER_STOPPING');
  }
}
