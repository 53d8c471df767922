/** Natural batching: concurrent single enqueues share one call of the seam, and none ever waits for company. */

import type { Broker, EnqueueResult } from '../broker/broker.ts';
import { retold, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { utf8Length } from '../core/json.ts';
import { type Limits, limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';

/** Enqueues one task, in the same call as others that were asked for meanwhile. */
export interface EnqueueBatcher {
  /**
   * Rejects with the broker's error, whose details name the task's `id`: after an error of the store nobody knows
   * whether the task was stored, and an enqueue with the same id settles it. One refused task does not fail the others.
   */
  enqueue(task: NewTask): Promise<EnqueueResult>;
}

interface Entry {
  readonly task: NewTask;
  readonly bytes: number;
  resolve(result: EnqueueResult): void;
  reject(error: unknown): void;
}

type Bounds = Pick<Limits, 'batchMax' | 'batchBytesMax' | 'enqueueWaitingMax'>;

/** Makes a batcher over the broker that `open` gives; `open` is asked before each call and should remember its answer. */
export function createEnqueueBatcher(
  open: () => Promise<Pick<Broker, 'enqueue'>>,
  bounds: Bounds = limits,
): EnqueueBatcher {
  let waiting: Entry[] = [];
  let sending = false;

  async function sendAll(): Promise<void> {
    // One microtask, so that enqueues of the same tick already share the first call.
    await null;
    while (waiting.length > 0) {
      const batch = firstBatch(waiting, bounds);
      waiting = waiting.slice(batch.length);
      await send(open, batch);
    }
    sending = false;
  }

  return {
    enqueue: (task) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= bounds.enqueueWaitingMax)
          return reject(taskFlowError('ENQUEUE_OVERLOADED', { max: bounds.enqueueWaitingMax }));
        waiting.push({ task, bytes: bytesOf(task.payload, bounds), resolve, reject });
        if (sending) return;
        sending = true;
        void sendAll();
      }),
  };
}

/** Sends a batch and answers every entry. When the broker refuses it for its content, halves are sent until the refused task stands alone. */
async function send(open: () => Promise<Pick<Broker, 'enqueue'>>, batch: readonly Entry[]): Promise<void> {
  try {
    const broker = await open();
    const results = await broker.enqueue(batch.map((entry) => entry.task));
    for (const [index, entry] of batch.entries()) {
      const result = results[index];
      if (result === undefined)
        entry.reject(taskFlowError('INTERNAL', { problem: 'the broker answered for fewer tasks than it was given' }));
      else entry.resolve(result);
    }
  } catch (error) {
    if (batch.length > 1 && isAboutContent(error)) {
      const half = Math.ceil(batch.length / 2);
      await send(open, batch.slice(0, half));
      await send(open, batch.slice(half));
    } else for (const entry of batch) entry.reject(toldTo(entry.task, error));
  }
}

/** At least what a payload takes: what is short is not counted, and a batch of it is full by its number. */
export function bytesOf(
  payload: string,
  { batchMax, batchBytesMax }: Pick<Limits, 'batchMax' | 'batchBytesMax'>,
): number {
  // At most three bytes a UTF-16 unit.
  const most = payload.length * 3;
  return most * batchMax <= batchBytesMax ? most : utf8Length(payload);
}

/** As many from the front as one call may carry, at least one. */
function firstBatch(waiting: readonly Entry[], bounds: Bounds): readonly Entry[] {
  let bytes = 0;
  let count = 0;
  for (const entry of waiting) {
    bytes += entry.bytes;
    if (count === bounds.batchMax || (count > 0 && bytes > bounds.batchBytesMax)) break;
    count++;
  }
  return waiting.slice(0, count);
}

/** Nothing of a refused batch was stored, so its parts may be sent again; errors of the store would only repeat. */
function isAboutContent(error: unknown): boolean {
  return error instanceof TaskFlowError && (error.status < 500 || error.code === 'NOT_SUPPORTED');
}

/** Tells the store's error to one caller, with the id that makes a repetition safe. */
function toldTo(task: NewTask, error: unknown): unknown {
  if (!(error instanceof TaskFlowError)) return error;
  const hint = error.retryable
    ? { hint: `Enqueue it again with { id: '${task.id}' }: if it was stored, it is not stored twice.` }
    : {};
  return retold(error, { details: { id: task.id, name: task.name }, ...hint });
}
