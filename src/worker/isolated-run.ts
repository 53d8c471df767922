/** One run of one task in a process of its own, seen from its worker: what the process says becomes the attempt's. */

import { toTaskError } from '../core/error-facts.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Outcome, TaskError } from '../core/task.ts';
import { scheduleDeadline } from '../core/time.ts';
import type { StoreAddress } from '../history/history.ts';
import type { Attempt } from './attempt.ts';
import type { Child, Exit } from './child.ts';
import type { FromChild } from './child-messages.ts';
import type { RunParts } from './isolation.ts';
import { Steps } from './steps.ts';

export interface IsolatedRunOptions extends RunParts {
  readonly file: string;
  readonly payload: string;
  readonly onStarted: () => void;
  /** Where processes of their own find the store; `null` where they cannot. */
  readonly address: StoreAddress | null;
}

/** How a run in a process ended. */
export interface IsolatedEnd {
  /** `null`: its process was ended on order. */
  readonly outcome: Outcome | null;
  /** Whether another run may have the process. */
  readonly isSpent: boolean;
}

/** Runs the attempt as run number `run` of the child. */
export function runInChild(
  attempt: Attempt,
  child: Child,
  run: number,
  options: IsolatedRunOptions,
): Promise<IsolatedEnd> {
  const { clock, onStarted, onNews } = options;
  const { promise, resolve } = Promise.withResolvers<IsolatedEnd>();
  const { signal, task } = attempt;

  function onMessage(message: FromChild): void {
    // A handler may send what it likes.
    if (typeof message !== 'object' || message?.run !== run) return;
    if (message.kind === 'stray') options.onStray(attempt, errorOf(message.error));
    else if (message.kind === 'started') {
      cancelStart();
      onStarted();
    } else if (message.kind === 'news') takeNews(message);
    else if (message.kind === 'completing') attempt.completed = message.verdict;
    else if (message.kind === 'ended') void finish(message);
  }

  function takeNews({ progress, logs, checkpoints, lastWords }: Extract<FromChild, { kind: 'news' }>): void {
    if (attempt.abortKind === 'lost') return;
    for (const line of logs) attempt.keepLog(line);
    if (progress !== null) attempt.keepProgress(progress);
    attempt.lastWords = lastWords ?? attempt.lastWords;
    for (const checkpoint of checkpoints) {
      attempt.steps ??= new Steps(task, options.onStep);
      attempt.steps.keep(checkpoint).then(
        () => child.send({ kind: 'kept', run, names: [checkpoint.name] }),
        // Its handler is told by the abort.
        () => undefined,
      );
    }
    onNews();
  }

  function onLine(stream: 'stdout' | 'stderr', line: string): void {
    if (!attempt.takesLogs) return;
    const level = stream === 'stdout' ? 'info' : 'warn';
    const message = line.length > limits.logLineMax ? `${line.slice(0, limits.logLineMax - 1)}…` : line;
    attempt.keepLog({ at: clock.now(), level, message: message.toWellFormed(), fields: JSON.stringify({ stream }) });
    onNews();
  }

  async function finish({ outcome, spawned, wrote, isSpent }: Extract<FromChild, { kind: 'ended' }>): Promise<void> {
    if (wrote) await child.flushed(run);
    attempt.takeSpawned(spawned);
    end(outcome, isSpent);
  }

  function onExit(exit: Exit): void {
    if (exit.isOrdered) end(null);
    else if (exit.problem !== null) {
      const error = toTaskError(task.name, new Error(`No process could be started for it: ${exit.problem}`));
      end({ kind: 'error', error, retryable: true, retryAfterMs: null });
    } else end({ kind: 'crashed', error: crashError(attempt, child, exit) });
  }

  function onAbort(): void {
    const { abortKind, abortReason } = attempt;
    if (abortKind === null || !(abortReason instanceof TaskFlowError)) return;
    child.send({ kind: 'abort', run, abort: abortKind, code: abortReason.code, message: abortReason.message });
  }

  function end(outcome: Outcome | null, isSpent = true): void {
    cancelStart();
    signal.removeEventListener('abort', onAbort);
    attempt.kill = null;
    // What the handler left behind may fail later.
    child.listener = { onMessage, onLine: () => {}, onExit: () => {} };
    resolve({ outcome, isSpent });
  }

  const cancelStart = scheduleDeadline(clock, limits.isolateStartMs, () => {
    const problem = `it did not load within ${limits.isolateStartMs / 1_000} s in a process of its own`;
    const error = toTaskError(task.name, taskFlowError('TASK_FILE_FAILED', { file: options.file, problem }));
    child.kill();
    end({ kind: 'error', error, retryable: true, retryAfterMs: null });
  });
  attempt.kill = child.kill;
  child.listener = { onMessage, onLine, onExit };
  signal.addEventListener('abort', onAbort);
  const { id, name, queue, generation, epoch, checkpoints, claimedAt, flowId, policy } = task;
  const { traceparent } = attempt;
  const { payload } = options;
  const known = { id, name, queue, attempt: task.attempt, generation, epoch, payload, checkpoints };
  child.send({
    kind: 'run',
    run,
    file: options.file,
    task: { ...known, claimedAt, flowId, traceparent, policy },
    lease: attempt.lease,
    store: options.address,
    parents: attempt.parents,
  });
  if (child.hasEnded) onExit({ code: null, signal: null, problem: 'it ended before the run', isOrdered: false });
  return promise;
}

/** What is known of a death: how, at how much memory, and the last words. */
function crashError({ task }: Attempt, child: Child, { code, signal }: Exit): TaskError {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  const tail = child.tail.join('\n');
  const isMemory = /^Memory: \d+ MB|heap out of memory|Reached heap limit/m.test(tail);
  const why = isMemory ? `, out of memory (${child.memoryMb} MB are allowed)` : '';
  const rss = child.rssMb === 0 ? '' : `; it used ${child.rssMb} MB`;
  const message = `The process of the run ended ${how}${why}${rss}`;
  return toTaskError(task.name, {
    name: 'ProcessCrashError',
    message,
    stack: tail === '' ? null : `last lines of stderr:\n${tail}`,
  });
}

function errorOf({ name, message, stack }: TaskError): Error {
  return Object.assign(new Error(message), { name, stack: stack ?? '' });
}
