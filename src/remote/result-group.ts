/** Up to a hundred tasks that are waited for together: by one request that is held, or by one connection to the live updates. */

import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { LiveMessage } from '../core/live.ts';
import { isFinished } from '../core/states.ts';
import { type Cancel, sleep } from '../core/time.ts';
import type { ResultsMessage } from '../core/worker-protocol.ts';
import { mayPass, type ResultAsks, type ResultWait, tell } from './result-wait.ts';

export interface ResultGroup {
  readonly hasRoom: boolean;
  /** Answers how to give the wait up. */
  add(wait: ResultWait): () => void;
}

/** `onEmpty` is called when nobody waits any more: the group is over then. */
export function createResultGroup(asks: ResultAsks, onEmpty: () => void): ResultGroup {
  const { clock } = asks;
  const byTask = new Map<string, Set<ResultWait>>();
  const feed = createFeed(asks, { ended: hurry, told: onTold, lost: onLost });
  /** To be looked at, whoever asks on. */
  const hurried = new Set<string>();
  let asking: AbortController | null = null;
  let isLooking = false;
  let begunAt = -Infinity;
  let cancelBegin: Cancel | null = null;
  let cancelPatience: Cancel = () => {};
  let cancelSweep: Cancel = () => {};

  /** Anew with all that are waited for: at once, but not for each of many that come one by one. */
  function begin(): void {
    cancelBegin = null;
    begunAt = clock.elapsed();
    if (byTask.size === 0) return;
    if (byTask.size < limits.resultFeedMin || !feed.follow([...byTask.keys()])) {
      askAll();
      return;
    }
    cancelPatience();
    cancelPatience = clock.schedule(limits.resultLogLagMs, () => {
      if (!feed.isTelling) askAll();
    });
  }

  function beginSoon(): void {
    cancelBegin ??= clock.schedule(Math.max(0, begunAt + limits.resultGatherMs - clock.elapsed()), begin);
  }

  /** What ended before is looked at once; from then on they tell. */
  function onTold(): void {
    stopAsking();
    hurry([...byTask.keys()]);
  }

  function onLost(): void {
    if (asking === null) askAll();
  }

  function stopAsking(): void {
    asking?.abort();
    asking = null;
  }

  function askAll(): void {
    stopAsking();
    asking = new AbortController();
    void askOn(asking.signal);
  }

  /** Asks until it is told to end, by requests that the server holds until the first ends. */
  async function askOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && byTask.size > 0) {
      const startedAt = clock.elapsed();
      const answer = await askFor([...byTask.keys()], limits.resultHoldMs, signal);
      // A server that does not hold it must not be asked without end.
      const isHeld = answer === 'news' || clock.elapsed() - startedAt >= limits.pollMs;
      if (!isHeld) await sleep(clock, limits.pollMs, signal).catch(() => undefined);
    }
  }

  async function askFor(taskIds: readonly string[], waitMs: number, signal: AbortSignal) {
    try {
      return take(await asks.many(taskIds, waitMs, signal)) ? 'news' : 'nothing';
    } catch (error) {
      if (!signal.aborted) mayPass(waitsFor(taskIds), error);
      return 'failed';
    }
  }

  /** Whether one has ended, or is not there. */
  function take({ results, missing, left }: ResultsMessage): boolean {
    for (const task of results) tell(waitsFor([task.id]), task);
    for (const id of missing) for (const wait of waitsFor([id])) wait.reject(taskFlowError('TASK_NOT_FOUND', { id }));
    if (left.length > 0) hurry(left);
    return missing.length > 0 || results.some(({ state }) => isFinished(state));
  }

  function waitsFor(taskIds: readonly string[]): ResultWait[] {
    return taskIds.flatMap((taskId) => [...(byTask.get(taskId) ?? [])]);
  }

  function hurry(taskIds: readonly string[]): void {
    for (const taskId of taskIds) if (byTask.has(taskId)) hurried.add(taskId);
    if (hurried.size > 0) void look();
    armSweep();
  }

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    while (hurried.size > 0 && !feed.signal.aborted) {
      const taskIds = [...hurried].slice(0, limits.resultsMax);
      for (const taskId of taskIds) hurried.delete(taskId);
      if ((await askFor(taskIds, 0, feed.signal)) !== 'failed') continue;
      // They were told once: nobody names them again.
      await sleep(clock, limits.pollMs, feed.signal).catch(() => undefined);
      for (const taskId of taskIds) if (byTask.has(taskId)) hurried.add(taskId);
    }
    isLooking = false;
  }

  /** Whatever the live updates may have missed, or a look has, is found. */
  function armSweep(): void {
    cancelSweep();
    cancelSweep = clock.schedule(limits.resultSweepMs, () => {
      if (byTask.size > 0) hurry([...byTask.keys()]);
    });
  }

  return {
    get hasRoom() {
      return byTask.size < limits.resultsMax;
    },
    add(wait) {
      const waits = byTask.get(wait.taskId);
      if (waits === undefined) byTask.set(wait.taskId, new Set([wait]));
      else waits.add(wait);
      if (waits === undefined) beginSoon();
      return () => {
        const others = byTask.get(wait.taskId);
        others?.delete(wait);
        if (others?.size === 0) byTask.delete(wait.taskId);
        if (byTask.size > 0) return;
        cancelBegin?.();
        cancelPatience();
        cancelSweep();
        stopAsking();
        feed.end();
        onEmpty();
      };
    },
  };
}

interface Feed {
  /** Whether it tells of all that it was last asked to follow. */
  readonly isTelling: boolean;
  /** Aborts when it is over. */
  readonly signal: AbortSignal;
  /** From now on these, from where it was. Answers whether they may be followed: once refused they are not asked for again. */
  follow(taskIds: readonly string[]): boolean;
  end(): void;
}

interface FeedListener {
  ended(taskIds: readonly string[]): void;
  /** It begins to tell, or may have missed something. */
  told(): void;
  lost(): void;
}

function createFeed({ follow }: ResultAsks, { ended, told, lost }: FeedListener): Feed {
  const over = new AbortController();
  let connection = new AbortController();
  let cursor: string | null = null;
  let isTelling = false;
  let isRefused = false;

  function onMessage(own: AbortController, message: LiveMessage): void {
    if (own !== connection) return;
    ({ cursor } = message);
    if (message.type === 'open' || message.type === 'resync') {
      isTelling = true;
      told();
    } else if (message.type === 'changes') {
      ended(message.changes.flatMap(({ id, to }) => (to === null || isFinished(to) ? [id] : [])));
    }
  }

  function onLost(own: AbortController): void {
    if (own !== connection || own.signal.aborted) return;
    isTelling = false;
    lost();
  }

  return {
    get isTelling() {
      return isTelling;
    },
    signal: over.signal,
    follow(taskIds) {
      if (isRefused) return false;
      connection.abort();
      const own = new AbortController();
      connection = own;
      isTelling = false;
      follow({
        topics: taskIds.map((taskId) => `task:${taskId}`),
        ...(cursor !== null && { after: cursor }),
        signal: own.signal,
        onMessage: (message) => onMessage(own, message),
        onLost: () => onLost(own),
      }).catch(() => {
        isRefused = true;
        onLost(own);
      });
      return true;
    },
    end() {
      over.abort();
      connection.abort();
    },
  };
}
