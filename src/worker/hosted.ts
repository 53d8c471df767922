/** A worker for a program of one's own: it opens its store, heeds the signals of the process, and closes what it opened. */

import { relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { putSchedules } from '../client/put-schedules.ts';
import { schedulesIn } from '../core/code-schedule.ts';
import { definitionsIn } from '../core/collect.ts';
import type { Middleware } from '../core/definition.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { checkName } from '../core/names.ts';
import { checkOptionNames, invalidOption } from '../core/option-names.ts';
import type { Store } from '../history/history.ts';
import type { WorkerEventName, WorkerEvents } from './events.ts';
import { createWorker, type Worker } from './worker.ts';

/** What a worker of one's own is made of. */
export interface HostedWorkerOptions {
  /** URL of the broker; the configured one when not given. */
  readonly broker?: string;
  /** Modules with tasks (`import * as email from './email.ts'`), or tasks. */
  readonly tasks: object | readonly object[];
  /** Modules with schedules, or schedules: they are stored when it is made. None when not given. */
  readonly schedules?: object | readonly object[];
  /** Names that share `concurrency` slots, or slots for each: `{ email: 20, gpu: { concurrency: 1 } }`. The queues of its tasks when not given. */
  readonly queues?: readonly string[] | Readonly<Record<string, number | { readonly concurrency: number }>>;
  /** Tasks run at the same time by a list of queues; 10 when not given. */
  readonly concurrency?: number;
  /** How long a stop waits for running handlers; 25 s (`limits.drainMs`) when not given. */
  readonly drain?: Duration;
  /** Shown to people; host and pid when not given. */
  readonly name?: string;
  /** Around every run, the first one outermost. */
  readonly middleware?: readonly Middleware[];
}

export interface HostedWorker extends AsyncDisposable {
  readonly id: string;
  /**
   * Claims and runs tasks until {@link stop}, SIGTERM or SIGINT; a second signal ends the process at once. Resolves when
   * what was running has ended or was handed back, and the store is closed. After a command to restart the process's
   * exit code is 75: let its supervisor start it again.
   */
  run(): Promise<void>;
  /** Stops claiming, lets handlers end within `drain`, hands the rest back, closes the store. A second call is the same promise. */
  stop(options?: { readonly drain?: Duration }): Promise<void>;
  on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): HostedWorker;
}

const optionNames: Readonly<Record<keyof HostedWorkerOptions, true>> = {
  broker: true,
  tasks: true,
  schedules: true,
  queues: true,
  concurrency: true,
  drain: true,
  name: true,
  middleware: true,
};
const notYet = ['store', 'namespace', 'url', 'token'];
const stopSignals = ['SIGTERM', 'SIGINT'] as const;
/** What a shell reports for a process that Ctrl-C ended. */
const interruptedExitCode = 130;
/** Asks a supervisor to start the program again: the "temporary failure" of sysexits. */
const restartExitCode = 75;

/** Opens the store and makes the worker; it begins with `run`. Rejects with INVALID_OPTION, INVALID_INPUT, NOT_SUPPORTED, DUPLICATE_TASK_NAME, DUPLICATE_SCHEDULE_NAME, STORE_*. */
export async function hostWorker(
  options: HostedWorkerOptions,
  open: (broker: string | null) => Promise<Store>,
  redact: readonly string[] = [],
): Promise<HostedWorker> {
  checkOptionNames(options, Object.keys(optionNames), notYet, 'The options of createWorker');
  const definitions = definitionsIn(options.tasks);
  const drainMs = options.drain === undefined ? limits.drainMs : parseDuration(options.drain, 'drain');
  const queues = readQueues(options.queues ?? [...new Set(definitions.map((definition) => definition.queue))]);
  const store = await open(options.broker ?? null);
  try {
    const { concurrency, name, middleware } = options;
    const known = definitions.flatMap(({ name, file }) => (file == null ? [] : [{ name, file }]));
    const modules = Object.fromEntries(known.map(({ name, file }) => [name, file]));
    // Published too: by it an engine knows that a run had a process of its own, and blames no task for the end of this one.
    const files = Object.fromEntries(known.map(({ name, file }) => [name, shownPath(file)]));
    const childEnv: Readonly<Record<string, string>> =
      options.broker === undefined ? {} : { TASKFLOW_BROKER: options.broker };
    const worker = createWorker({
      store,
      definitions,
      modules,
      files,
      childEnv,
      redact,
      queues,
      drainMs,
      ...given({ concurrency, name, middleware }),
    });
    const { failures } = await putSchedules(store.broker, schedulesIn(options.schedules));
    if (failures[0] !== undefined) throw failures[0];
    return host(worker, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Relative to where the program runs, as task files are shown. */
function shownPath(file: string): string {
  return relative(process.cwd(), file.startsWith('file:') ? fileURLToPath(file) : file);
}

function host(worker: Worker, store: Store): HostedWorker {
  let stopping: Promise<void> | null = null;
  const ended = Promise.withResolvers<void>();
  // Whoever called stop() hears of its failure; run() may never be called.
  ended.promise.catch(() => {});

  async function stopAll(drainMs: number | null): Promise<void> {
    await worker.stop(drainMs === null ? {} : { drainMs });
    await store.close();
  }

  function stop({ drain }: { readonly drain?: Duration } = {}): Promise<void> {
    const drainMs = drain === undefined ? null : parseDuration(drain, 'drain');
    stopping ??= stopAll(drainMs);
    stopping.then(ended.resolve, ended.reject);
    return stopping;
  }

  function heed(): void {
    if (stopping !== null) process.exit(interruptedExitCode);
    void stop();
  }

  // What runs this program starts it again, as any supervisor can be told to.
  worker.on('command', ({ command }) => {
    if (command.kind !== 'restart') return;
    process.exitCode = restartExitCode;
    stop().catch(() => undefined);
  });

  const hosted: HostedWorker = {
    id: worker.id,
    async run() {
      worker.start();
      for (const signal of stopSignals) process.on(signal, heed);
      try {
        await ended.promise;
      } finally {
        for (const signal of stopSignals) process.off(signal, heed);
      }
    },
    stop,
    on(name, listener) {
      worker.on(name, listener);
      return hosted;
    },
    [Symbol.asyncDispose]: () => stop(),
  };
  return hosted;
}

function readQueues(
  queues: NonNullable<HostedWorkerOptions['queues']>,
): readonly string[] | Readonly<Record<string, number>> {
  if (isList(queues)) return queues.map((name) => checkName(name, 'queues'));
  const slots = Object.entries(queues).map(
    ([name, value]) => [checkName(name, 'queues'), typeof value === 'number' ? value : readSlots(name, value)] as const,
  );
  return Object.fromEntries(slots);
}

function isList(queues: NonNullable<HostedWorkerOptions['queues']>): queues is readonly string[] {
  return Array.isArray(queues);
}

function readSlots(queue: string, value: unknown): number {
  if (typeof value !== 'object' || value === null || !('concurrency' in value))
    throw invalidOption(`queues.${queue}`, 'a number of slots, or { concurrency }, is needed');
  checkOptionNames(value, ['concurrency'], ['weight'], `queues.${queue}`);
  return value.concurrency as number;
}

/** Without what was not given. */
function given<Options extends object>(options: Options): { [Name in keyof Options]?: NonNullable<Options[Name]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Options]?: NonNullable<Options[Name]>;
  };
}
