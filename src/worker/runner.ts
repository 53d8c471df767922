/** Runs one attempt: payload, input, middleware, handler, output, outcome. Whatever a handler does, the worker lives on. */

import { type Middleware, type TaskDefinition, waits } from '../core/definition.ts';
import { inOrder } from '../core/dependencies.ts';
import { formatDuration } from '../core/duration.ts';
import { toTaskError } from '../core/error-facts.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { encodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { createRedactions, type RedactionOf } from '../core/redact.ts';
import type { Outcome } from '../core/task.ts';
import type { Cancel } from '../core/time.ts';
import { type RunTrace, traceRun } from '../telemetry/tracing.ts';
import type { Attempt, AttemptOwner } from './attempt.ts';
import { type CompletionOptions, completeWithin } from './completion.ts';
import { createContext } from './context.ts';
import { lacksSchedule, payloadOf, readInput } from './input.ts';
import type { Isolation, RunParts } from './isolation.ts';
import { abortedOutcome, errorOutcome, inputOutcome, isFailed, unreadableOutcome } from './outcomes.ts';
import { type FetchResults, fetchParents, lacksResults } from './parents.ts';
import { callWatched, type StrayKind, watchStrays } from './strays.ts';
import { createTurn } from './turn.ts';
import type { Wheel } from './wheel.ts';

export interface RunnerOptions extends RunParts {
  readonly middleware: readonly Middleware[];
  readonly wheel: Wheel;
  /** The handler is about to begin. */
  readonly onStarted: (attempt: Attempt) => void;
  /** What the store can do in the transactions of handlers. Rejects with TX_NOT_JOINABLE. */
  readonly transactions: CompletionOptions['transactions'];
  /** A run is about to end in a transaction, or is not after all (`null`). */
  readonly onCompleting?: CompletionOptions['onCompleting'];
  /** The outcome is known; called exactly once for an attempt. */
  readonly onOutcome: (attempt: Attempt, outcome: Outcome) => void;
  /** The slot is free again; for a stuck handler long after its outcome, or never. */
  readonly onEnded: (attempt: Attempt) => void;
  /** The handler ignored its abort for longer than the grace. */
  readonly onStuck: (attempt: Attempt) => void;
  /** Fetches what was too much for the claim; `null` where the attempt came with all it may have. */
  readonly fetchResults: FetchResults | null;
  /** What is hidden of tasks; what they say themselves when left out. */
  readonly redactionOf?: RedactionOf;
  /** Begins the span of a run; `traceRun` when left out. */
  readonly trace?: (task: Attempt['task']) => RunTrace | null;
  /** Runs tasks in processes of their own; without it all run here. */
  readonly isolation: Isolation | null;
}

export interface Runner extends AttemptOwner {
  /** From now on it takes care of what handlers leave behind, and has a process ready where tasks want one. */
  start(): void;
  /** Ends every process, those that run something too, and resolves when they are gone. */
  stop(): Promise<void>;
  /** Takes the slot and runs; returns at once and never throws. */
  run(attempt: Attempt): void;
  /** Tells the handler to end, and stops waiting for it after the grace. */
  abort(attempt: Attempt, kind: 'cancel' | 'lost' | 'stopping'): void;
  /** The deadline of the attempt passed: first the run's, then the grace's. */
  expire(attempt: Attempt): void;
  /** Tells the handler to end as well: its run has failed, whatever it returns. */
  stray(attempt: Attempt, kind: StrayKind, thrown: unknown): void;
}

export function createRunner(options: RunnerOptions): Runner {
  const { clock, wheel, trace = traceRun } = options;
  const turn = createTurn(clock);
  const spoken = { ...options, complete };
  let unwatch: Cancel = () => {};

  function run(attempt: Attempt): void {
    attempt.phase = 'running';
    if (attempt.runMs !== null)
      wheel.set(attempt, (attempt.boundByLife ? attempt.claimedAt : clock.elapsed()) + attempt.runMs);
    attempt.trace = trace(attempt.task);
    void (attempt.trace === null ? execute(attempt) : attempt.trace.within(() => execute(attempt)))
      .catch((thrown) => unreadableOutcome(attempt, thrown))
      .then((outcome) => end(attempt, outcome));
  }

  /** Rejects only when what was thrown throws again as it is looked at. */
  function execute(attempt: Attempt): Promise<Outcome> {
    const definition = options.definitions.get(attempt.task.name);
    if (definition === undefined || definition.run === null || lacksSchedule(attempt.task, definition))
      return Promise.resolve({ kind: 'unknownTask' });
    const { fetchResults } = options;
    if (fetchResults === null || !lacksResults(attempt.parents)) return executeWith(attempt, definition);
    return fetchParents(attempt, fetchResults).then((came): Outcome | Promise<Outcome> =>
      came ? executeWith(attempt, definition) : { kind: 'released' },
    );
  }

  function executeWith(attempt: Attempt, definition: TaskDefinition): Promise<Outcome> {
    return options.isolation?.wants(attempt, definition) === true
      ? executeApart(attempt, definition, options.isolation)
      : executeHere(attempt, definition);
  }

  async function executeHere(attempt: Attempt, definition: TaskDefinition): Promise<Outcome> {
    const { task } = attempt;
    let input: unknown;
    try {
      input = await readInput(task, definition);
    } catch (thrown) {
      return inputOutcome(attempt, thrown);
    }
    if (turn.isLong()) await turn.next();
    if (task.interruptions > 0 && attempt.abortKind === null) await startKnown(attempt);
    // A validation that waits can outlive the right to run.
    if (attempt.abortKind !== null) return abortedOutcome(attempt, definition, attempt.abortReason);
    begin(attempt);
    try {
      const context = createContext(attempt, spoken);
      const handler = (): unknown => definition.run?.(input, context);
      const output = await callWatched(
        attempt,
        options.middleware.length === 0 ? handler : () => wrapped(options.middleware, attempt, input, handler),
      );
      // The store has its result, or nobody will.
      if (attempt.completed !== null) return { kind: 'done', result: null };
      if (output === waits) return waitsFor(attempt);
      const result = encodeResult(task.name, await definition.parseOutput(output));
      checkSpawned(attempt);
      if (isFailed(attempt)) return abortedOutcome(attempt, definition, attempt.abortReason);
      return { kind: 'done', result };
    } catch (thrown) {
      return errorOutcome(attempt, definition, thrown);
    }
  }

  async function complete(attempt: Attempt, output: unknown, tx: unknown): Promise<void> {
    const { name } = attempt.task;
    const result = encodeResult(name, await options.definitions.get(name)?.parseOutput(output));
    checkSpawned(attempt);
    await completeWithin(attempt, result, tx, options);
  }

  /** It was lost before without a word: should it end this process too, the store knows that it had begun. */
  async function startKnown(attempt: Attempt): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    attempt.onStartKnown = resolve;
    options.onStep();
    await promise;
    attempt.onStartKnown = null;
  }

  /** Middleware stays here, around a run that is elsewhere: it is given the result as JSON, and may replace it. */
  async function executeApart(attempt: Attempt, definition: TaskDefinition, isolation: Isolation): Promise<Outcome> {
    const runApart = async (): Promise<Outcome> => {
      let payload: string;
      try {
        payload = await payloadOf(attempt.task, definition);
      } catch (thrown) {
        return inputOutcome(attempt, thrown);
      }
      const outcome = await isolation.run(attempt, payload, () => begin(attempt));
      return outcome ?? abortedOutcome(attempt, definition, attempt.abortReason);
    };
    if (options.middleware.length === 0) return runApart();
    let outcome: Outcome | null = null;
    let value: unknown;
    const told = new Error(`${attempt.task.name} did not succeed in its process.`);
    try {
      const input = await readInput(attempt.task, definition);
      const output = await wrapped(options.middleware, attempt, input, async () => {
        outcome = await runApart();
        if (outcome.kind !== 'done') throw told;
        value = outcome.result === null ? undefined : JSON.parse(outcome.result);
        return value;
      });
      return outcome !== null && output === value
        ? outcome
        : { kind: 'done', result: encodeResult(attempt.task.name, output) };
    } catch (thrown) {
      return outcome !== null && thrown === told ? outcome : errorOutcome(attempt, definition, thrown);
    }
  }

  function begin(attempt: Attempt): void {
    attempt.startedAt = clock.elapsed();
    // Its time begins with the handler: a process may have had to start first.
    if (attempt.kill !== null && attempt.runMs !== null && !attempt.boundByLife && attempt.abortKind === null)
      wheel.set(attempt, attempt.startedAt + attempt.runMs);
    options.onStarted(attempt);
  }

  function end(attempt: Attempt, outcome: Outcome): void {
    wheel.clear(attempt);
    if (attempt.phase === 'running') {
      attempt.ranMs = attempt.startedAt === null ? null : Math.max(0, Math.round(clock.elapsed() - attempt.startedAt));
      tell(attempt, outcome);
    }
    options.onEnded(attempt);
  }

  function tell(attempt: Attempt, outcome: Outcome): void {
    const told = tellable(attempt, outcome);
    attempt.trace?.end(told);
    options.onOutcome(attempt, told);
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
    // What has its own process ends with it, and tells how when it has.
    if (attempt.kill !== null) {
      attempt.kill();
      return;
    }
    // A stopping worker ends soon and must not hand back what still runs: its lease has to run out.
    if (attempt.abortKind === 'stopping') return;
    attempt.ranMs = attempt.startedAt === null ? null : Math.max(0, Math.round(clock.elapsed() - attempt.startedAt));
    const definition = options.definitions.get(attempt.task.name);
    const outcome = abortedOutcome(attempt, definition, attempt.abortReason);
    attempt.stuck = true;
    attempt.refuseSteps();
    tell(attempt, outcome);
    options.onStuck(attempt);
  }

  function stray(attempt: Attempt, kind: StrayKind, thrown: unknown): void {
    const { name, message } = toTaskError(attempt.task.name, thrown);
    const what = kind === 'exit' ? message : `Nobody caught an error of this run: ${name}: ${message}`;
    attempt.keepLog({ at: clock.now(), level: 'error', message: what, fields: null });
    options.onNews();
    if (attempt.phase === 'running' && attempt.abortKind === null) {
      attempt.abort(kind === 'exit' ? 'exit' : 'stray', thrown);
      wheel.set(attempt, clock.elapsed() + options.graceMs);
    }
    options.onStray(attempt, thrown);
  }

  function start(): void {
    unwatch = watchStrays();
    options.isolation?.start();
  }

  async function stop(): Promise<void> {
    await options.isolation?.stop();
    unwatch();
  }

  return { start, stop, run, abort, expire, stray, redactionOf: options.redactionOf ?? byPolicy };
}

const byPolicy = createRedactions([]);

function tellable(attempt: Attempt, outcome: Outcome): Outcome {
  return 'error' in outcome ? { ...outcome, error: attempt.tellable(outcome.error) } : outcome;
}

function wrapped(
  middleware: readonly Middleware[],
  { task }: Attempt,
  input: unknown,
  handler: () => unknown,
): Promise<unknown> {
  const run = { id: task.id, name: task.name, attempt: task.attempt, input };
  const call = (index: number): Promise<unknown> => {
    const layer = middleware[index];
    if (layer === undefined) return Promise.resolve(handler());
    let called = false;
    return layer(run, async () => {
      if (called) throw new Error('A middleware called next() twice.');
      called = true;
      return call(index + 1);
    });
  };
  return call(0);
}

/** What it brings along is stored with the end of this run: whatever is wrong with it must be said before. */
function checkSpawned({ spawned }: Attempt): void {
  if (spawned !== null) inOrder(spawned);
}

function waitsFor(attempt: Attempt): Outcome {
  checkSpawned(attempt);
  return { kind: 'waits' };
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
