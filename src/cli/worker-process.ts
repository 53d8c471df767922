/** A worker in a process of its own, as `up` keeps it: what the two say to each other, and how it begins and ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import type { Cancel, Clock } from '../core/time.ts';

/** Marks the child; its value is the address of the server. Not a setting: those begin with TASKFLOW_. */
export const workerVariable = '_TASKFLOW_UP_WORKER';

/** What the child found when it had loaded the task files. */
export interface Loaded {
  readonly kind: 'loaded';
  readonly workerId: string;
  readonly worker: string;
  readonly queues: Readonly<Record<string, number>>;
  readonly isShared: boolean;
  /** File by task name, relative to the project. */
  readonly files: Readonly<Record<string, string>>;
  /** Files that could not be loaded; the child has told why. */
  readonly failures: number;
  /** Absolute paths of all files that were imported, without those of packages. */
  readonly imported: readonly string[];
}

/** `begun`: the store knows it. `restart`: somebody told it to begin anew. */
export type ChildNews = Loaded | { readonly kind: 'begun' } | { readonly kind: 'restart' };

/** `leave`: it was never needed. */
export type ChildOrder =
  | { readonly kind: 'begin' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'stop'; readonly drainMs: number | null };

export interface WorkerProcess {
  readonly pid: number;
  /** What it found; `null` when it ended before it had loaded everything. */
  readonly loaded: Promise<Loaded | null>;
  /** How it ended: an exit code, or the name of a signal. */
  readonly ended: Promise<number | string>;
  /** Lets it claim; resolves when the store knows it, or it has ended. */
  begin(): Promise<void>;
  /** Ends one that has not begun. */
  leave(): void;
  /** Lets it drain; resolves when it has ended, by force when it takes much longer than it may. */
  stop(drainMs: number | null, patienceMs: number): Promise<void>;
  kill(): void;
}

/** Starts this very command again, as its own worker. `onRestart` when somebody told it to begin anew. */
export function startWorkerProcess(clock: Clock, url: string, onRestart: () => void): WorkerProcess {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...process.argv.slice(2)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [workerVariable]: url },
  });
  const loaded = Promise.withResolvers<Loaded | null>();
  const begun = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<number | string>();
  const end = (how: number | string): void => {
    loaded.resolve(null);
    begun.resolve();
    ended.resolve(how);
  };
  child.on('message', (news: ChildNews) => {
    if (news.kind === 'loaded') loaded.resolve(news);
    else if (news.kind === 'begun') begun.resolve();
    else onRestart();
  });
  child.on('error', (error) => end(error.message));
  child.on('exit', (code, signal) => end(signal ?? code ?? 1));
  return {
    pid: child.pid ?? 0,
    loaded: loaded.promise,
    ended: ended.promise,
    begin() {
      tell(child, { kind: 'begin' });
      return begun.promise;
    },
    leave: () => tell(child, { kind: 'leave' }),
    async stop(drainMs, patienceMs) {
      tell(child, { kind: 'stop', drainMs });
      const cancel: Cancel = clock.schedule(patienceMs, () => child.kill('SIGKILL'));
      await ended.promise;
      cancel();
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** A child that is gone has ended already, which is told another way. */
function tell(child: ChildProcess, order: ChildOrder): void {
  if (child.connected) child.send(order, () => undefined);
}
