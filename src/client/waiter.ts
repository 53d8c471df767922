/** Waits for tasks to finish: one look at the store for everybody who waits, hurried by signals, always bounded. */

import type { Broker, Unsubscribe } from '../broker/broker.ts';
import { durationText } from '../core/duration.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import type { Cancel, Clock } from '../core/time.ts';

/** Waits until tasks are finished. */
export interface Waiter {
  /**
   * Resolves with the finished task. Rejects with RESULT_TIMEOUT after `timeoutMs` of the clock, whatever the store
   * does; TASK_NOT_FOUND when there is no such task (any more); the reason of `signal` when that aborts.
   */
  finished(taskId: string, timeoutMs: number, signal?: AbortSignal): Promise<Task>;
}

interface Wait {
  readonly taskId: string;
  resolve(task: Task): void;
  reject(error: unknown): void;
}

/** What the last look saw, for the words of a timeout. */
interface LastLook {
  state: string;
  error: unknown;
}

/** Makes a waiter over the broker that `open` gives. While nobody waits it holds no timer and no subscription. */
export function createWaiter(open: () => Promise<Pick<Broker, 'getTasks' | 'subscribe'>>, clock: Clock): Waiter {
  const waits = new Set<Wait>();
  const lastLooks = new WeakMap<Wait, LastLook>();
  let watch: Watch | null = null;

  async function look(): Promise<void> {
    const looked = [...waits];
    try {
      const broker = await open();
      for (let at = 0; at < looked.length; at += limits.batchMax) {
        const chunk = looked.slice(at, at + limits.batchMax);
        const tasks = await broker.getTasks(chunk.map((wait) => wait.taskId));
        for (const [index, wait] of chunk.entries()) answer(wait, tasks[index] ?? null);
      }
    } catch (error) {
      // An outage may pass before the time is up; anything else will not.
      const passing = error instanceof TaskFlowError && error.retryable;
      for (const wait of looked) {
        if (passing) lastLooks.set(wait, { state: lastLooks.get(wait)?.state ?? 'in an unknown state', error });
        else wait.reject(error);
      }
    }
  }

  function answer(wait: Wait, task: Task | null): void {
    if (task === null) wait.reject(taskFlowError('TASK_NOT_FOUND', { id: wait.taskId }));
    else if (isFinished(task.state)) wait.resolve(task);
    else lastLooks.set(wait, { state: task.state, error: undefined });
  }

  function concerns(taskIds: readonly string[] | null): boolean {
    if (taskIds === null) return true;
    const finished = new Set(taskIds);
    for (const { taskId } of waits) if (finished.has(taskId)) return true;
    return false;
  }

  function add(wait: Wait): void {
    waits.add(wait);
    watch ??= startWatch(open, clock, look, concerns);
    watch.hurry();
  }

  function remove(wait: Wait): void {
    waits.delete(wait);
    if (waits.size > 0) return;
    watch?.stop();
    watch = null;
  }

  return {
    finished(taskId, timeoutMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Task>();
      if (signal?.aborted) return Promise.reject(signal.reason);
      const wait: Wait = { taskId, resolve, reject };
      const onAbort = (): void => reject(signal?.reason);
      const cancelTimeout = clock.schedule(timeoutMs, () => reject(timedOut(taskId, timeoutMs, lastLooks.get(wait))));
      signal?.addEventListener('abort', onAbort, { once: true });
      add(wait);
      return promise.finally(() => {
        cancelTimeout();
        signal?.removeEventListener('abort', onAbort);
        remove(wait);
      });
    },
  };
}

/** Looks again and again, ever less often, and at once when told to. */
interface Watch {
  hurry(): void;
  stop(): void;
}

function startWatch(
  open: () => Promise<Pick<Broker, 'subscribe'>>,
  clock: Clock,
  look: () => Promise<void>,
  concerns: (taskIds: readonly string[] | null) => boolean,
): Watch {
  let stopped = false;
  let looking = false;
  let again = false;
  let delayMs: number = limits.resultPollMinMs;
  let cancelNext: Cancel = () => {};
  let unsubscribe: Unsubscribe = () => {};

  async function run(): Promise<void> {
    cancelNext();
    looking = true;
    do {
      again = false;
      await look();
    } while (again && !stopped);
    looking = false;
    if (stopped) return;
    cancelNext = clock.schedule(delayMs, () => void run());
    delayMs = Math.min(delayMs * 2, limits.pollMs);
  }

  function lookNow(): void {
    if (stopped) return;
    if (looking) again = true;
    else void run();
  }

  function subscribe(broker: Pick<Broker, 'subscribe'>): void {
    if (stopped) return;
    unsubscribe = broker.subscribe((signal) => {
      if (signal.kind === 'finished' && concerns(signal.taskIds)) lookNow();
    });
  }

  // A store that cannot be opened is the look's to report; without signals the polling stands alone.
  open().then(subscribe, () => {});

  return {
    hurry() {
      delayMs = limits.resultPollMinMs;
      lookNow();
    },
    stop() {
      stopped = true;
      cancelNext();
      unsubscribe();
    },
  };
}

function timedOut(taskId: string, timeoutMs: number, last: LastLook | undefined): TaskFlowError {
  const params = { id: taskId, timeout: durationText(timeoutMs), state: last?.state ?? 'in an unknown state' };
  return taskFlowError('RESULT_TIMEOUT', params, last?.error === undefined ? {} : { cause: last.error });
}
