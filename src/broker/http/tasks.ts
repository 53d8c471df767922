/** What handlers ask of a server while they run: to store tasks of theirs, and for results that their claim left out. */

import { TaskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Lease, NewTask } from '../../core/task.ts';
import { type Clock, sleep } from '../../core/time.ts';
import type { EnqueueTasksAnswer, ParentsAnswer } from '../../core/worker-protocol.ts';
import type { Broker } from '../broker.ts';
import type { Calls } from './calls.ts';
import { enqueueResult, newTaskMessage, readParent } from './messages.ts';

export type HandlerCalls = Required<Pick<Broker, 'enqueue' | 'resultsOf'>>;

export interface HandlerCallsOptions {
  readonly calls: Calls;
  readonly clock: Clock;
  /** The worker that runs them. */
  readonly workerId: () => string;
}

export function createHandlerCalls({ calls, clock, workerId }: HandlerCallsOptions): HandlerCalls {
  /** Until the server has answered, for a while: both may be asked again, and a server that begins anew must fail no handler. */
  async function ask<Answer>(verb: string, message: object): Promise<Answer> {
    const until = clock.elapsed() + limits.handlerAskMs;
    for (let pauseMs = askAgainMs; ; pauseMs = Math.min(2 * pauseMs, limits.pollMs)) {
      try {
        return await calls.post<Answer>(verb, { worker: workerId(), ...message }, { refusesForbidden: true });
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
      const { results } = await ask<EnqueueTasksAnswer>('enqueue', { tasks: tasks.map(newTaskMessage) });
      return results.map(enqueueResult);
    },
    async resultsOf({ taskId: id, token, epoch }: Lease, ids: readonly string[]) {
      if (ids.length === 0) return [];
      const { parents } = await ask<ParentsAnswer>('parents', { lease: { id, token, epoch }, ids });
      return parents.map((parent) => (parent.state === null ? null : readParent(parent)));
    },
  };
}

/** The first pause before it is asked again; then twice as long each time, up to a poll. */
const askAgainMs = 100;
