/**
 * Waits for tasks to finish: one look at the store for everybody who waits, hurried by signals, always bounded. Where many wait the event
 * log says whom to look at.
 */

import type { Broker, Unsubscribe } from '../broker/broker.ts';
import { durationText } from '../core/duration.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import type { TaskEnd } from '../core/task-end.ts';
import type { Cancel, Clock } from '../core/time.ts';
import type { EndLog } from './end-log.ts';

/** Waits until tasks are finished. */
export interface Waiter<Seen extends TaskEnd = Task> {
  /**
   * Resolves with the finished task. Rejects with RESULT_TIMEOUT after `timeoutMs` of the clock, whatever the store
   * does; TASK_NOT_FOUND when there is no such task (any more); the reason of `signal` when that aborts.
   */
  finished(taskId: string, timeoutMs: number, signal?: AbortSignal): Promise<Seen>;
}

interface Wait<Seen> {
  readonly taskId: string;
  /** The pause after its next look by the clock, and when that is. */
  pauseMs: number;
  dueAt: number;
  resolve(task: Seen): void;
  reject(error: unknown): void;
}

/** What the last look saw, for the words of a timeout. */
interface LastLook {
  state: string;
  error: unknown;
}

/** The log of a store that has one for this. */
type OpenLog = () => Promise<EndLog | null>;

/** Where tasks are looked at. */
export interface WaitedBroker<Seen> extends Pick<Broker, 'subscribe'> {
  getTasks(taskIds: readonly string[]): Promise<readonly (Seen | null)[]>;
}

type OpenBroker<Seen> = () => Promise<WaitedBroker<Seen>>;

const noLog: OpenLog = async () => null;

/** Makes a waiter over the broker that `open` gives. While nobody waits it holds no timer and no subscription. */
export function createWaiter<Seen extends TaskEnd>(
  open: OpenBroker<Seen>,
  clock: Clock,
  openLog = noLog,
): Waiter<Seen> {
  const lastLooks = new WeakMap<Wait<Seen>, LastLook>();
  const watch = createWatch({ open, openLog, clock, look });

  async function look(waits: readonly Wait<Seen>[]): Promise<boolean> {
    try {
      const broker = await open();
      for (let at = 0; at < waits.length; at += limits.batchMax) {
        const chunk = waits.slice(at, at + limits.batchMax);
        const tasks = await broker.getTasks(chunk.map((wait) => wait.taskId));
        for (const [index, wait] of chunk.entries()) answer(wait, tasks[index] ?? null);
      }
      return true;
    } catch (error) {
      // An outage may pass before the time is up; anything else will not.
      const passing = error instanceof TaskFlowError && error.retryable;
      for (const wait of waits) {
        if (passing) lastLooks.set(wait, { state: lastLooks.get(wait)?.state ?? 'in an unknown state', error });
        else wait.reject(error);
      }
      return false;
    }
  }

  function answer(wait: Wait<Seen>, task: Seen | null): void {
    if (task === null) wait.reject(taskFlowError('TASK_NOT_FOUND', { id: wait.taskId }));
    else if (isFinished(task.state)) wait.resolve(task);
    else lastLooks.set(wait, { state: task.state, error: undefined });
  }

  return {
    finished(taskId, timeoutMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Seen>();
      if (signal?.aborted) return Promise.reject(signal.reason);
      const wait: Wait<Seen> = { taskId, resolve, reject, pauseMs: limits.resultPollMinMs, dueAt: Infinity };
      const onAbort = (): void => reject(signal?.reason);
      const cancelTimeout = clock.schedule(timeoutMs, () => reject(timedOut(taskId, timeoutMs, lastLooks.get(wait))));
      signal?.addEventListener('abort', onAbort, { once: true });
      watch.add(wait);
      return promise.finally(() => {
        cancelTimeout();
        signal?.removeEventListener('abort', onAbort);
        watch.remove(wait);
      });
    },
  };
}

/**
 * Looks at each wait again and again, ever less often, and at once when a signal names its task. A signal costs one look
 * at the tasks it names, however many others are waited for; one that names none hurries everybody, but not without end.
 */
interface Watch<Seen> {
  add(wait: Wait<Seen>): void;
  remove(wait: Wait<Seen>): void;
}

interface WatchOptions<Seen> {
  readonly open: OpenBroker<Seen>;
  readonly openLog: OpenLog;
  readonly clock: Clock;
  /** Whether all of them were seen. */
  look(waits: readonly Wait<Seen>[]): Promise<boolean>;
}

function createWatch<Seen>({ open, openLog, clock, look }: WatchOptions<Seen>): Watch<Seen> {
  const byTask = new Map<string, Set<Wait<Seen>>>();
  const hurried = new Set<Wait<Seen>>();
  /** Whose last look failed: the log may have named them, and does so once. */
  const unseen = new Set<Wait<Seen>>();
  const reader = createReader(openLog, clock);
  let looking = false;
  let reading = false;
  let readAgain = false;
  /** Somebody has ended whom no signal has named. */
  let isAnyUnnamed = false;
  let cancelTimer: Cancel = () => {};
  let timerAt = Infinity;
  let lastHurryAt = -Infinity;
  let unsubscribe: Unsubscribe | null = null;

  function* all(): Generator<Wait<Seen>> {
    for (const waits of byTask.values()) yield* waits;
  }

  async function lookAtHurried(): Promise<void> {
    if (looking) return;
    looking = true;
    while (hurried.size > 0) {
      const waits = [...hurried];
      hurried.clear();
      const isSeen = await look(waits);
      for (const wait of waits) {
        if (isSeen || !byTask.get(wait.taskId)?.has(wait)) unseen.delete(wait);
        else unseen.add(wait);
      }
    }
    looking = false;
  }

  function arm(at: number): void {
    if (at >= timerAt) return;
    cancelTimer();
    timerAt = at;
    cancelTimer = clock.schedule(Math.max(0, at - clock.elapsed()), onTimer);
  }

  /** Those whom the log names; all where it begins or ceases to tell, since an end before that was in no log. */
  async function readLog(): Promise<void> {
    readAgain = true;
    if (reading) return;
    reading = true;
    while (readAgain) {
      readAgain = false;
      const wasUnnamed = isAnyUnnamed;
      isAnyUnnamed = false;
      const { ended, isAll } = await reader.read(wasUnnamed);
      if (wasUnnamed && !isAll && ended.length === 0) isAnyUnnamed = true;
      if (isAll) for (const wait of all()) hurried.add(wait);
      for (const taskId of ended) for (const wait of byTask.get(taskId) ?? []) hurried.add(wait);
      if (hurried.size > 0) void lookAtHurried();
    }
    reading = false;
  }

  function onTimer(): void {
    timerAt = Infinity;
    const now = clock.elapsed();
    if (byTask.size >= limits.resultLogMin && now - reader.readAt >= limits.resultPollMinMs) void readLog();
    if (isToldByLog()) lookAtDue(unseen, now, now + limits.pollMs);
    else lookAtDue(all(), now, Infinity);
  }

  function lookAtDue(waits: Iterable<Wait<Seen>>, now: number, latestAt: number): void {
    let nextAt = latestAt;
    for (const wait of waits) {
      if (wait.dueAt <= now) {
        hurried.add(wait);
        wait.dueAt = now + wait.pauseMs;
        wait.pauseMs = Math.min(wait.pauseMs * 2, limits.pollMs);
      }
      nextAt = Math.min(nextAt, wait.dueAt);
    }
    if (nextAt < Infinity) arm(nextAt);
    void lookAtHurried();
  }

  function onFinished(taskIds: readonly string[] | null): void {
    if (taskIds === null) hurryAll();
    for (const taskId of taskIds ?? []) for (const wait of byTask.get(taskId) ?? []) hurried.add(wait);
    if (hurried.size > 0) void lookAtHurried();
  }

  /** One that does not answer in time is not waited for: each is looked at until it does. */
  function isToldByLog(): boolean {
    if (byTask.size < limits.resultLogMin || !reader.isTelling) return false;
    return !reading || clock.elapsed() - reader.readAt < limits.resultLogLagMs;
  }

  function hurryAll(): void {
    const at = Math.max(clock.elapsed(), Math.max(lastHurryAt, reader.readAt) + limits.resultPollMinMs);
    lastHurryAt = at;
    isAnyUnnamed = true;
    if (!isToldByLog()) for (const wait of all()) wait.dueAt = Math.min(wait.dueAt, at);
    arm(at);
  }

  function listen(): void {
    let ended = false;
    let stop: Unsubscribe = () => {};
    unsubscribe = () => {
      ended = true;
      stop();
    };
    // A store that cannot be opened is the look's to report; without signals the polling stands alone.
    open().then(
      (broker) => {
        if (ended) return;
        stop = broker.subscribe((signal) => {
          if (signal.kind === 'finished') onFinished(signal.taskIds);
        });
      },
      () => {},
    );
  }

  return {
    add(wait) {
      if (unsubscribe === null) listen();
      const waits = byTask.get(wait.taskId);
      if (waits === undefined) byTask.set(wait.taskId, new Set([wait]));
      else waits.add(wait);
      wait.dueAt = clock.elapsed() + wait.pauseMs;
      wait.pauseMs *= 2;
      arm(wait.dueAt);
      hurried.add(wait);
      void lookAtHurried();
    },
    remove(wait) {
      hurried.delete(wait);
      unseen.delete(wait);
      const waits = byTask.get(wait.taskId);
      waits?.delete(wait);
      if (waits?.size === 0) byTask.delete(wait.taskId);
      if (byTask.size > 0) return;
      cancelTimer();
      timerAt = Infinity;
      reader.forget();
      unsubscribe?.();
      unsubscribe = null;
    },
  };
}

/** The log, and whether it tells. */
interface Reader {
  /** Then nobody needs to be looked at whom it does not name. */
  readonly isTelling: boolean;
  readonly readAt: number;
  read(isAnyUnnamed: boolean): Promise<{ readonly ended: readonly string[]; readonly isAll: boolean }>;
  forget(): void;
}

/** All are looked at now and then in any case: whatever it may have missed is found. */
function createReader(openLog: OpenLog, clock: Clock): Reader {
  let log: EndLog | null = null;
  let isTelling = false;
  let readAt = -Infinity;
  let sweptAt = -Infinity;
  return {
    get isTelling() {
      return isTelling;
    },
    get readAt() {
      return readAt;
    },
    async read(isAnyUnnamed) {
      readAt = clock.elapsed();
      // A store that cannot be opened is the look's to report.
      log ??= await openLog().catch(() => null);
      const ended = (await log?.ended()) ?? null;
      // One that knows of nobody where somebody has ended is held back: by a transaction of a user, as long as that is open.
      const sweepMs = isAnyUnnamed && ended?.length === 0 ? limits.pollMs : limits.resultSweepMs;
      const isAll = isTelling !== (ended !== null) || (isTelling && readAt - sweptAt >= sweepMs);
      isTelling = ended !== null;
      if (isAll) sweptAt = readAt;
      return { ended: ended ?? [], isAll };
    },
    forget() {
      log = null;
      isTelling = false;
    },
  };
}

function timedOut(taskId: string, timeoutMs: number, last: LastLook | undefined): TaskFlowError {
  const params = { id: taskId, timeout: durationText(timeoutMs), state: last?.state ?? 'in an unknown state' };
  return taskFlowError('RESULT_TIMEOUT', params, last?.error === undefined ? {} : { cause: last.error });
}
