/**
 * Errors that nobody caught, and `process.exit`, told to the run whose handler they come from: whatever a handler leaves
 * behind (a promise, a timer, a stream) is its own fault and must not end the runs beside it.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import process from 'node:process';
import type { Cancel } from '../core/time.ts';
import type { Attempt } from './attempt.ts';

/** `exit`: the handler called `process.exit`; `error`: it left something behind that failed. */
export type StrayKind = 'exit' | 'error';

const current = new AsyncLocalStorage<Attempt>();
let watchers = 0;
let unwatch: Cancel = () => {};

/** Calls a handler so that what it leaves behind is known to be its own. */
export function callWatched<Result>(attempt: Attempt, handler: () => Result): Result {
  return current.run(attempt, handler);
}

/** Whether the error that is being told is of a handler, and taken care of by {@link watchStrays}. */
export function isOfHandler(): boolean {
  return watchers > 0 && current.getStore() !== undefined;
}

/**
 * Takes care of the strays of all handlers of the process until the answer is called. What comes from elsewhere goes its
 * ordinary way. `keepsExit`: `process.exit` ends the process as usual, for a process that runs one task.
 */
export function watchStrays({ keepsExit = false } = {}): Cancel {
  watchers += 1;
  if (watchers === 1) unwatch = install(keepsExit);
  let ended = false;
  return () => {
    if (ended) return;
    ended = true;
    watchers -= 1;
    if (watchers === 0) unwatch();
  };
}

function install(keepsExit: boolean): Cancel {
  const { exit } = process;
  const onError = (thrown: unknown, kind: 'uncaughtException' | 'unhandledRejection'): void => {
    const attempt = current.getStore();
    if (attempt !== undefined) attempt.owner.stray(attempt, 'error', thrown);
    else if (process.listenerCount(kind) === 1) goOrdinaryWay(thrown);
  };
  const onRejection = (thrown: unknown): void => onError(thrown, 'unhandledRejection');
  const onException = (thrown: unknown): void => onError(thrown, 'uncaughtException');
  const watchedExit = (code?: Parameters<typeof exit>[0]): never => {
    const attempt = current.getStore();
    if (attempt === undefined) return exit.call(process, code);
    const thrown = Object.assign(new Error(`The handler called process.exit(${code ?? ''}).`), { name: 'ExitError' });
    attempt.owner.stray(attempt, 'exit', thrown);
    throw thrown;
  };
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  if (!keepsExit) process.exit = watchedExit;
  return () => {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
    if (process.exit === watchedExit) process.exit = exit;
  };

  /** As if nobody listened: the process ends with the error on stderr. */
  function goOrdinaryWay(thrown: unknown): void {
    unwatch();
    throw thrown;
  }
}
