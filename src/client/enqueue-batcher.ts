/** Natural batching: concurrent single enqueues share one call of the seam, and none ever waits for company. */

import type { Broker, EnqueueResult } from '../broker/broker.ts';
import { retold, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { utf8Length } from '../core/json.ts';
import { type Limits, limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';
import { onNextTurn } from '../core/time.ts';

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

export interface BatcherOptions {
  /** Whether calls may overlap in the store that is open: then two are under way at most, else one. */
  readonly isParallel?: () => boolean;
  readonly bounds?: Bounds;
  /**
   * Whether a call waits until everything that is ready now was heard: requests of many connections come one by one, and a store that
   * works in this thread would be called for each of them alone.
   */
  readonly gathersTurn?: boolean;
}

/** Makes a batcher over the broker that `open` gives; `open` is asked before each call and should remember its answer. */
export function createEnqueueBatcher(
  open: () => Promise<Pick<Broker, 'enqueue'>>,
  { isParallel = () => false, bounds = limits, gathersTurn = false }: BatcherOptions = {},
): EnqueueBatcher {
  let waiting: Entry[] = [];
  const sent = new Set<readonly Entry[]>();
  let isAsked = false;

  const soon = gathersTurn ? onNextTurn : queueMicrotask;

  /** A microtask later, or a turn, so that enqueues of the same tick already share the first call. */
  function ask(): void {
    if (isAsked) return;
    isAsked = true;
    soon(() => {
      isAsked = false;
      sendNext();
    });
  }

  function sendNext(): void {
    for (let most = nextMost(); most > 0 && waiting.length > 0; most = nextMost()) {
      const batch = firstBatch(waiting, { ...bounds, batchMax: Math.min(most, bounds.batchMax) });
      waiting = waiting.slice(batch.length);
      sent.add(batch);
      void send(open, batch).then(() => {
        sent.delete(batch);
        if (waiting.length > 0) (gathersTurn ? ask : sendNext)();
      });
    }
  }

  /**
   * How many may go now. Many go as two calls: the store works on one while the other is made, or answered. What would leave too few
   * for a second one goes as one: they would only wait for it.
   */
  function nextMost(): number {
    const isWorthTwo = waiting.length >= limits.enqueueAsideMin && isParallel();
    const half = Math.floor(waiting.length / 2);
    if (sent.size === 0) return isWorthTwo && half >= limits.enqueueAsideMin ? half : Infinity;
    const isOrdered = [...sent].some(hasKey) && hasKey(waiting);
    return sent.size === 1 && isWorthTwo && !isOrdered ? Infinity : 0;
  }

  return {
    enqueue: (task) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= bounds.enqueueWaitingMax)
          return reject(taskFlowError('ENQUEUE_OVERLOADED', { max: bounds.enqueueWaitingMax }));
        waiting.push({ task, bytes: bytesOf(task.payload, bounds), resolve, reject });
        ask();
      }),
  };
}

/** Whether their order may matter: the last of several under one key may be the one that counts. */
function hasKey(entries: readonly Entry[]): boolean {
  return entries.some(({ task }) => task.key !== null);
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
