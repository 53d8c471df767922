/** Which queues there are, so that nobody makes them without end: each is a row of every list, and a label of every figure. */

import type { Broker } from '../broker/broker.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

export interface QueueNames {
  /**
   * `null` for a queue that is known, which costs a look into a set; else a promise that rejects with TOO_MANY_QUEUES where it would be one
   * too many. Of several servers that see new ones in the same seconds each counts for itself.
   */
  check(queue: string): Promise<void> | null;
}

export function createQueueNames(
  broker: Pick<Broker, 'getQueues'>,
  clock: Pick<Clock, 'elapsed'>,
  max: number = limits.queuesMax,
): QueueNames {
  let names: Set<string> = new Set();
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    readAt = clock.elapsed();
    try {
      names = new Set((await broker.getQueues()).map(({ name }) => name));
    } catch (error) {
      readAt = Number.NEGATIVE_INFINITY;
      throw error;
    } finally {
      reading = null;
    }
  }

  async function admit(queue: string): Promise<void> {
    if (reading === null && clock.elapsed() - readAt >= limits.queueNamesMs) reading = read();
    await reading;
    if (names.has(queue)) return;
    if (names.size >= max) throw taskFlowError('TOO_MANY_QUEUES', { max, queue });
    names.add(queue);
  }

  return { check: (queue) => (names.has(queue) ? null : admit(queue)) };
}

/** The same for the queues of several tasks. */
export async function checkQueueNames(names: QueueNames, tasks: readonly { readonly queue: string }[]): Promise<void> {
  for (const queue of new Set(tasks.map((task) => task.queue))) await names.check(queue);
}

/** Those of the queues that would be too many, each with TOO_MANY_QUEUES; what the store fails with is thrown. */
export async function refusedQueues(
  names: QueueNames,
  queues: Iterable<string>,
): Promise<ReadonlyMap<string, TaskFlowError>> {
  const refused = new Map<string, TaskFlowError>();
  for (const queue of new Set(queues)) {
    try {
      await names.check(queue);
    } catch (error) {
      if (!(error instanceof TaskFlowError) || error.code !== 'TOO_MANY_QUEUES') throw error;
      refused.set(queue, error);
    }
  }
  return refused;
}
