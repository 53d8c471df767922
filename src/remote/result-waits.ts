/**
 * Waits for the ends of tasks through a server: all that are waited for in one request that the server holds, and where they are many over its
 * live updates, with that request behind them whenever these are lost or refused.
 */

import { durationText } from '../core/duration.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { ResultMessage } from '../core/worker-protocol.ts';
import { createResultGroup, type ResultGroup } from './result-group.ts';
import type { ResultAsks, ResultWait } from './result-wait.ts';

export interface ResultWaits {
  /**
   * Resolves with the task when it has ended. Rejects with RESULT_TIMEOUT after `timeoutMs` of the clock, whatever the server does;
   * TASK_NOT_FOUND; what the server refuses for good; the reason of `signal`.
   */
  finished(taskId: string, timeoutMs: number, signal?: AbortSignal): Promise<ResultMessage>;
}

/** While nobody waits it holds no timer and no connection. */
export function createResultWaits(asks: ResultAsks): ResultWaits {
  const { clock } = asks;
  const groups = new Set<ResultGroup>();

  function add(wait: ResultWait): () => void {
    let group = [...groups].find((one) => one.hasRoom);
    if (group === undefined) {
      const made = createResultGroup(asks, () => groups.delete(made));
      groups.add(made);
      group = made;
    }
    return group.add(wait);
  }

  return {
    finished(taskId, timeoutMs, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const { promise, resolve, reject } = Promise.withResolvers<ResultMessage>();
      const wait: ResultWait = { taskId, resolve, reject, state: 'in an unknown state', error: undefined };
      const onAbort = (): void => reject(signal?.reason);
      const cancelTimeout = clock.schedule(timeoutMs, () => reject(timedOut(wait, timeoutMs)));
      signal?.addEventListener('abort', onAbort, { once: true });
      const remove = add(wait);
      return promise.finally(() => {
        cancelTimeout();
        signal?.removeEventListener('abort', onAbort);
        remove();
      });
    },
  };
}

function timedOut({ taskId, state, error }: ResultWait, timeoutMs: number): TaskFlowError {
  const params = { id: taskId, timeout: durationText(timeoutMs), state };
  return taskFlowError('RESULT_TIMEOUT', params, error === undefined ? {} : { cause: error });
}
