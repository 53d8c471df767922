/** What handlers ask of a server while they run: to store tasks of theirs, how tasks stand, and for results that their claim left out. */

import { TaskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Lease, NewTask } from '../../core/task.ts';
import type { TaskEnd } from '../../core/task-end.ts';
import { type Clock, sleep } from '../../core/time.ts';
import type { EnqueueTasksAnswer, ParentsAnswer, ResultsMessage } from '../../core/worker-protocol.ts';
import type { Broker } from '../broker.ts';
import { type Calls, forbidden } from './calls.ts';
import { enqueueResult, newTaskMessage, readEnd, readParent } from './messages.ts';

export type HandlerCalls = Required<Pick<Broker, 'enqueue' | 'resultsOf' | 'endsOf'>>;

export interface HandlerCallsOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  /** The worker that runs them. */
  readonly workerId: () => string;
}

export function createHandlerCalls({ calls, clock, workerId }: HandlerCallsOptions): HandlerCalls {
  /** Until the server has answered, for a while: both may be asked again, and a server that begins anew must fail no handler. */
  async function ask<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    const until = clock.elapsed() + limits.handlerAskMs;
    for (let pauseMs = askAgainMs; ; pauseMs = Math.min(2 * pauseMs, limits.pollMs)) {
      try {
        return await call();
      } catch (error) {
        const mayPass = error instanceof TaskFlowError && error.retryable && error.code !== 'STORE_CLOSED';
        if (!mayPass || clock.elapsed() + pauseMs > until) throw error;
      }
      await sleep(clock, pauseMs);
    }
  }

  return {
    async enqueue(tasks: readonly NewTask[]) {
      if (tasks.length === 0) return [];
      const message = { worker: workerId(), tasks: tasks.map(newTaskMessage) };
      const { results } = await ask(() => calls.post<EnqueueTasksAnswer>('worker/enqueue', message, forbidden));
      return results.map(enqueueResult);
    },
    async resultsOf({ taskId: id, token, epoch }: Lease, ids: readonly string[]) {
      if (ids.length === 0) return [];
      const message = { worker: workerId(), lease: { id, token, epoch }, ids };
      const { parents } = await ask(() => calls.post<ParentsAnswer>('worker/parents', message, forbidden));
      return parents.map((parent) => (parent.state === null ? null : readParent(parent)));
    },
    async endsOf(taskIds: readonly string[]) {
      const known = new Map<string, TaskEnd>();
      let asked = [...new Set(taskIds)];
      while (asked.length > 0) {
        const ids = asked.slice(0, limits.resultsMax);
        const query = { ids: ids.join(',') };
        const { results, left } = await ask(() => calls.get<ResultsMessage>('tasks/results', query, forbidden));
        for (const result of results) known.set(result.id, readEnd(result));
        // Of those that have ended an answer brings one at least.
        asked = [...left, ...asked.slice(limits.resultsMax)];
      }
      return taskIds.map((taskId) => known.get(taskId) ?? null);
    },
  };
}

/** The first pause before it is asked again; then twice as long each time, up to a poll. */
const askAgainMs = 100;
