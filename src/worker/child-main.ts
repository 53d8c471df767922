/** The process of an isolated task: loads the task's file, runs its handler as a worker would, and tells the worker. */

import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { TaskDefinition } from '../core/definition.ts';
import { toTaskError } from '../core/error-facts.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ClaimedTask, Outcome } from '../core/task.ts';
import { systemClock } from '../core/time.ts';
import type { StoreAddress, ThreadStore } from '../history/history.ts';
import { continueRun } from '../telemetry/tracing.ts';
import { Attempt } from './attempt.ts';
import { type Birth, endMark, type FromChild, type ToChild } from './child-messages.ts';
import { transactionsOf } from './completion.ts';
import { definitionsOf, valuesOf } from './discovery.ts';
import { loadModule } from './load.ts';
import { Pool } from './pools.ts';
import { createRunner } from './runner.ts';
import { watchStrays } from './strays.ts';
import { createWheel } from './wheel.ts';

/** The descriptor of the pipe for vitals, as the worker made it. */
const vitalsPipe = 4;
const birth = JSON.parse(process.env._TASKFLOW_CHILD ?? '{}') as Birth;
delete process.env._TASKFLOW_CHILD;
const guard = new URL(`./child-guard${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
// Its own small heap, none of the options of this process.
new Worker(guard, {
  workerData: { ...birth, pipe: vitalsPipe },
  execArgv: [],
  resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
}).unref();

/** The worker decides about signals; when it is gone there is nobody to work for. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());

const definitions = new Map<string, TaskDefinition>();
const files = new Map<string, Promise<string | null>>();
const numbers = new WeakMap<Attempt, number>();
let loadingBefore: Promise<unknown> = Promise.resolve();
let current: Attempt | null = null;
let run = 0;
let isSpent = false;
let address: StoreAddress | null = null;
let opening: Promise<ThreadStore> | null = null;
const printed = watchOutput();

const runner = createRunner({
  definitions,
  middleware: [],
  clock: systemClock,
  wheel: createWheel(systemClock),
  graceMs: birth.graceMs,
  isolation: null,
  fetchResults: null,
  // The worker has the span.
  trace: continueRun,
  transactions: async () => transactionsOf((await openStore()).broker),
  onCompleting: (verdict) => tell({ kind: 'completing', run, verdict }),
  onStarted(attempt) {
    attempt.startReported = true;
    tell({ kind: 'started', run });
  },
  // At once: a handler that computes without a pause after it logged, or that dies, has said so.
  onNews: tellNews,
  onStep: tellNews,
  onOutcome: (_, outcome) => end(outcome),
  onEnded: () => {},
  onStuck() {
    isSpent = true;
  },
  onStray(attempt, thrown) {
    isSpent = true;
    tellNews();
    tell({ kind: 'stray', run: numbers.get(attempt) ?? 0, error: toTaskError(attempt.task.name, thrown) });
  },
});
watchStrays({ keepsExit: true });

process.on('message', (message: ToChild) => {
  if (message.kind === 'load') void load(message.file);
  else if (message.kind === 'run') void begin(message);
  else if (message.run === run && current !== null) {
    if (message.kind === 'kept') current.steps?.kept(message.names.map((name) => ({ name, value: null })));
    else {
      const reason = taskFlowError(message.code);
      reason.message = message.message;
      current.abort(message.abort, reason);
    }
  }
});

async function begin({
  run: number,
  file,
  task,
  lease,
  store,
  parents,
}: Extract<ToChild, { kind: 'run' }>): Promise<void> {
  run = number;
  printed.reset();
  address = store;
  const claimed = { task, lease, runMs: null, boundByLife: false, parents } as unknown as ClaimedTask;
  const attempt = new Attempt(claimed, new Pool([task.queue], 1), 0, 0, Infinity, runner);
  numbers.set(attempt, number);
  current = attempt;
  const problem = await load(file);
  if (problem !== null || !definitions.has(task.name)) {
    // Tried anew, it may load: in a process that has not tried before.
    isSpent = true;
    const error = taskFlowError('TASK_FILE_FAILED', { file, problem: problem ?? `it exports no task "${task.name}"` });
    end({ kind: 'error', error: toTaskError(task.name, error), retryable: true, retryAfterMs: null });
  } else runner.run(attempt);
}

/** The store, for those few handlers that end their task in a transaction. */
function openStore(): Promise<ThreadStore> {
  opening ??= open().catch((error: unknown) => {
    opening = null;
    throw error;
  });
  return opening;
}

async function open(): Promise<ThreadStore> {
  if (address === null)
    throw taskFlowError('TX_NOT_JOINABLE', { problem: 'the process of the run cannot find the store' });
  const { connect } = (await import(address.module)) as { connect(url: string): ThreadStore };
  const store = connect(address.url);
  await store.broker.open();
  return store;
}

/**
 * Loads a file once, the way every task file is loaded; resolves to what is wrong with it. One after the other: a module of
 * CommonJS cannot require what is just being imported.
 */
function load(file: string): Promise<string | null> {
  const known = files.get(file);
  if (known !== undefined) return known;
  const loading = loadingBefore.then(() => loadNow(file));
  loadingBefore = loading;
  files.set(file, loading);
  return loading;
}

function loadNow(file: string): Promise<string | null> {
  return loadModule(file.startsWith('file:') ? fileURLToPath(file) : file).then((loaded) => {
    if ('problem' in loaded) return loaded.problem;
    for (const definition of definitionsOf(valuesOf(loaded.exports))) definitions.set(definition.name, definition);
    return null;
  });
}

function tellNews(): void {
  if (current === null || !current.hasNews) return;
  const { progress, logs, checkpoints } = current.takeBeat(systemClock.elapsed(), limits.batchBytesMax);
  tell({ kind: 'news', run, progress, logs, checkpoints, lastWords: current.lastWords });
}

function end(outcome: Outcome): void {
  tellNews();
  const spawned = current?.spawned ?? [];
  if (current !== null) current.phase = 'over';
  current = null;
  tell({ kind: 'ended', run, outcome, spawned, wrote: printed.mark(endMark(run)), isSpent });
}

function tell(message: FromChild): void {
  if (process.connected) process.send?.(message, () => {});
}

/** Notices whether anything is printed, so that a silent run costs no end mark. */
function watchOutput(): { reset(): void; mark(line: string): boolean } {
  const streams = [process.stdout, process.stderr];
  const originals = streams.map((stream) => stream.write.bind(stream) as (text: string) => boolean);
  let wrote = false;
  for (const stream of streams) {
    const { write } = stream;
    stream.write = function watched(this: unknown, ...given: unknown[]) {
      wrote = true;
      return Reflect.apply(write, stream, given) as boolean;
    } as typeof write;
  }
  return {
    reset() {
      wrote = false;
    },
    mark(line) {
      if (wrote) for (const original of originals) original(`\n${line}\n`);
      return wrote;
    },
  };
}
