/** Processes for isolated tasks: which task gets one, how many there are, and when one is used no more. */

import process from 'node:process';
import type { TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { runsIsolated } from '../core/policy.ts';
import type { Outcome } from '../core/task.ts';
import type { Cancel, Clock } from '../core/time.ts';
import type { StoreAddress } from '../history/history.ts';
import type { Attempt } from './attempt.ts';
import { type Child, startChild } from './child.ts';
import { runInChild } from './isolated-run.ts';
import type { WorkerOptions } from './options.ts';

export interface Isolation {
  /** Whether this run gets a process. A task that should have one, and whose file is not known, is told so in its log. */
  wants(attempt: Attempt, definition: TaskDefinition): boolean;
  /**
   * Runs the attempt in a process, with the payload as its input; `onStarted` is called when its handler begins. Resolves to `null` when it was ended on
   * order: then the attempt knows why.
   */
  run(attempt: Attempt, payload: string, onStarted: () => void): Promise<Outcome | null>;
  /** Starts a process for the first run. */
  start(): void;
  /** Ends all of them, those that run something too, and resolves when they are gone. */
  stop(): Promise<void>;
}

/** What runs have in common, wherever they run. */
export interface RunParts {
  readonly definitions: ReadonlyMap<string, TaskDefinition>;
  readonly clock: Clock;
  /** How long a handler may take to end after its abort. */
  readonly graceMs: number;
  /** Something should reach the store before the next renewal. */
  readonly onNews: () => void;
  /** A handler waits until the store has its step, or its start. */
  readonly onStep: () => void;
  /** Its handler left an error behind that nobody caught, or called `process.exit`. */
  readonly onStray: (attempt: Attempt, thrown: unknown) => void;
}

export interface IsolationOptions extends RunParts {
  /** Absolute path or URL of the file of each task that has one, by name. */
  readonly modules: Readonly<Record<string, string>>;
  /** Most runs at a time, and so most processes. */
  readonly slots: () => number;
  readonly memoryMb: number;
  /** Added to the environment of the processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Where they find the store; `null` where they cannot. */
  readonly address: StoreAddress | null;
}

interface Idle {
  readonly child: Child;
  readonly sinceMs: number;
}

/** The processes of a worker, or `null` when it was not told where its tasks come from. Throws ISOLATION_NEEDS_FILE. */
export function isolationOf(
  { modules, memoryMb = limits.isolateMemoryMb, childEnv: env = {}, store }: WorkerOptions,
  runs: RunParts & Pick<IsolationOptions, 'slots'>,
): Isolation | null {
  return modules === undefined
    ? null
    : createIsolation({ ...runs, modules, memoryMb, env, address: store.address ?? null });
}

/** Throws ISOLATION_NEEDS_FILE for a task that asks for a process and whose file is not known. */
export function createIsolation(options: IsolationOptions): Isolation {
  const { modules, clock } = options;
  const isolated = [...options.definitions.values()].filter((one) => one.isolate === 'process' && one.run !== null);
  for (const { name } of isolated)
    if (modules[name] === undefined) throw taskFlowError('ISOLATION_NEEDS_FILE', { name });
  const all = new Set<Child>();
  const runs = new WeakMap<Child, number>();
  /** The last one is taken first, so that those not needed grow old. */
  const idle: Idle[] = [];
  let stopped = false;
  let cancelLook: Cancel | null = null;

  function wants(attempt: Attempt, definition: TaskDefinition): boolean {
    const { task } = attempt;
    if (definition.isolate !== 'process' && !runsIsolated(task)) return false;
    if (modules[task.name] !== undefined) return true;
    if (task.crashes > 0) {
      const message = 'A process that ran it has died before, and it runs in the worker again: its file is not known.';
      attempt.keepLog({ at: clock.now(), level: 'warn', message, fields: null });
    }
    return false;
  }

  async function run(attempt: Attempt, payload: string, onStarted: () => void): Promise<Outcome | null> {
    const { task } = attempt;
    const memoryMb = options.definitions.get(task.name)?.memoryMb ?? options.memoryMb;
    // Who has ended a process before gets a fresh one, and nobody gets it afterwards.
    const isSuspect = task.crashes > 0;
    const child = isSuspect ? start(memoryMb) : take(memoryMb);
    const number = (runs.get(child) ?? 0) + 1;
    runs.set(child, number);
    const { outcome, isSpent } = await runInChild(attempt, child, number, {
      ...options,
      file: modules[task.name] ?? '',
      payload,
      onStarted,
    });
    if (isSpent) child.kill();
    else if (isSuspect || isWorn(child, number) || stopped) child.dismiss();
    else if (!child.hasEnded) putBack(child);
    return outcome;
  }

  function isWorn(child: Child, number: number): boolean {
    return number >= limits.isolateRunsMax || child.rssMb > child.memoryMb * limits.isolateFullShare;
  }

  function take(memoryMb: number): Child {
    const at = idle.findLastIndex(({ child }) => child.memoryMb === memoryMb && !child.hasEnded);
    const [found] = at < 0 ? [] : idle.splice(at, 1);
    // One with another memory makes room: there are no more of them than slots.
    if (found === undefined && all.size >= options.slots()) idle.shift()?.child.dismiss();
    const child = found?.child ?? start(memoryMb);
    if (isolated.length > 0 && !idle.some((one) => one.child.memoryMb === memoryMb)) warm(memoryMb);
    return child;
  }

  /** Starts one for the next run, with what it may have to load. */
  function warm(memoryMb: number): void {
    if (stopped || all.size >= options.slots()) return;
    const child = start(memoryMb);
    const files = isolated.flatMap(({ name, memoryMb: own }) =>
      (own ?? options.memoryMb) === memoryMb ? (modules[name] ?? []) : [],
    );
    for (const file of new Set(files)) child.send({ kind: 'load', file });
    putBack(child);
  }

  function start(memoryMb: number): Child {
    const child = startChild({ ...options, memoryMb });
    all.add(child);
    void child.ended.then(() => {
      all.delete(child);
      const at = idle.findIndex((one) => one.child === child);
      if (at >= 0) idle.splice(at, 1);
    });
    return child;
  }

  function putBack(child: Child): void {
    idle.push({ child, sinceMs: clock.elapsed() });
    cancelLook ??= clock.schedule(limits.isolateIdleMs, look);
  }

  /** The oldest first; the last one stays warm, where tasks ask for isolation. */
  function look(): void {
    cancelLook = null;
    const before = clock.elapsed() - limits.isolateIdleMs;
    while (idle.length > (isolated.length > 0 ? 1 : 0) && (idle[0]?.sinceMs ?? Infinity) <= before)
      idle.shift()?.child.dismiss();
    if (idle.length > 1 || (idle.length === 1 && isolated.length === 0))
      cancelLook = clock.schedule(limits.isolateIdleMs / 2, look);
  }

  const killAll = (): void => {
    for (const child of all) child.kill();
  };

  async function stop(): Promise<void> {
    stopped = true;
    cancelLook?.();
    const isIdle = new Set(idle.map(({ child }) => child));
    for (const child of all) {
      if (isIdle.has(child)) child.dismiss();
      else child.kill();
    }
    const cancel = clock.schedule(limits.isolateExitMs, killAll);
    await Promise.all([...all].map((child) => child.ended));
    cancel();
    process.off('exit', killAll);
  }

  return {
    wants,
    run,
    start() {
      // A process that leaves without a stop takes them along.
      process.on('exit', killAll);
      if (isolated.length > 0) warm(isolated[0]?.memoryMb ?? options.memoryMb);
    },
    stop,
  };
}
