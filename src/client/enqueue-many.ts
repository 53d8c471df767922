/** Many inputs in one call: all are checked before any is sent, and a task is made of each when its batch goes out. */

import type { Broker, EnqueueResult } from '../broker/broker.ts';
import { isRendered, type TaskDefinition } from '../core/definition.ts';
import { retold, TaskFlowError } from '../core/errors.ts';
import { type Ids, parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { NewTask } from '../core/task.ts';
import { newTask, type PreparedInput, prepareInput } from './enqueue.ts';
import { bytesOf } from './enqueue-batcher.ts';
import type { ItemOptions } from './options.ts';

/** One of many inputs, with options of its own. */
export interface EnqueueItem<Input> {
  readonly input: Input;
  readonly options?: ItemOptions;
}

/** Tasks that have passed every check and have their ids. */
export interface Many {
  readonly ids: readonly string[];
  /** Makes the task of one id; does not throw. */
  task(index: number): NewTask;
}

const noOptions: ItemOptions = {};

/** Tasks that are made already. */
export function allOf(tasks: readonly NewTask[]): Many {
  return { ids: tasks.map(({ id }) => id), task: (index) => tasks[index] as NewTask };
}

/** The same under one span of all; those that were given another context keep it. */
export function carryingTrace(many: Many, traceparent: string): Many {
  const task = (index: number): NewTask => {
    const made = many.task(index);
    return made.traceparent === null ? { ...made, traceparent } : made;
  };
  return { ids: many.ids, task };
}

export function idFor(options: ItemOptions, ids: Ids): string {
  return options.id === undefined ? ids.next() : parseId(options.id);
}

/** Checks and renders all before anything is sent; an error names the position of its input. */
export async function prepareMany(definition: TaskDefinition, items: readonly unknown[], ids: Ids): Promise<Many> {
  if (!Array.isArray(items)) throw invalidOption('enqueueMany', 'a list of inputs is needed');
  const pairs = items.length > 0 && items.every(isItem) ? items : null;
  if (pairs === null && !isRendered(definition))
    return ofOneKind(definition, await prepareAll(definition, items, ({ payload }) => payload), ids);
  const inputs = pairs?.map(({ input }) => input) ?? items;
  const tasks = await prepareAll(definition, inputs, (prepared, index) => {
    const { options = noOptions } = pairs?.[index] ?? {};
    return newTask(definition, prepared, options, idFor(options, ids));
  });
  return allOf(tasks);
}

/** Tasks that differ in nothing but id and payload. Kept until they are all sent, thousands would be work for the garbage collector. */
function ofOneKind(definition: TaskDefinition, payloads: readonly string[], ids: Ids): Many {
  const taskIds = ids.many(payloads.length);
  const [firstId = ''] = taskIds;
  if (firstId === '') return allOf([]);
  // What is wrong with the definition's own options is wrong for all of them.
  const first = newTask(definition, { payload: '', parsed: undefined }, noOptions, firstId);
  // The engine copies an object of a known shape at once.
  const task = (index: number): NewTask => {
    const id = taskIds[index] as string;
    return { ...first, id, payload: payloads[index] as string, flowId: first.flowId === null ? null : id };
  };
  return { ids: taskIds, task };
}

/** Encodes and validates all, and makes of each what is wanted. */
async function prepareAll<Value>(
  definition: TaskDefinition,
  inputs: readonly unknown[],
  finish: (prepared: PreparedInput, index: number) => Value,
): Promise<readonly Value[]> {
  const make = (input: unknown, index: number): Value | Promise<Value> => {
    try {
      const prepared = prepareInput(definition, input);
      return prepared instanceof Promise
        ? prepared.then((value) => finish(value, index)).catch((error: unknown) => failAt(index, error))
        : finish(prepared, index);
    } catch (error) {
      // A promise, so that those of the others are heard of too.
      return Promise.reject(numbered(index, error));
    }
  };
  const values = inputs.map(make);
  // A promise a task would be a third of a bulk enqueue: most schemas answer at once.
  return values.every((value) => !(value instanceof Promise)) ? (values as Value[]) : Promise.all(values);
}

function failAt(index: number, error: unknown): never {
  throw numbered(index, error);
}

/** Says which item an error is about. */
export function numbered(index: number, error: unknown): unknown {
  if (!(error instanceof TaskFlowError)) return error;
  const told = retold(error, { cause: error.cause });
  told.message = `Item ${index}: ${error.message}`;
  return told;
}

function isItem(value: unknown): value is EnqueueItem<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'input' in value &&
    Object.keys(value).every((key) => key === 'input' || key === 'options')
  );
}

/** Sends all, one call after the other. An error of the store names every id, so that the whole list can be sent again. */
export async function sendMany(
  open: () => Promise<Pick<Broker, 'enqueue'>>,
  many: Many,
): Promise<readonly EnqueueResult[]> {
  const results: EnqueueResult[] = [];
  try {
    const broker = await open();
    for (const batch of batchesOf(many)) for (const result of await broker.enqueue(batch)) results.push(result);
    return results;
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    const hint =
      'Send the list again with these ids, as { input, options: { id } }: what was stored is not stored twice.';
    const details = { ids: many.ids, stored: results.length };
    throw retold(error, { details, ...(error.retryable ? { hint } : {}) });
  }
}

export function* batchesOf({ ids, task: make }: Many): Generator<readonly NewTask[]> {
  let batch: NewTask[] = [];
  let bytes = 0;
  for (let index = 0; index < ids.length; index++) {
    const task = make(index);
    const size = bytesOf(task.payload, limits);
    if (batch.length === limits.batchMax || (batch.length > 0 && bytes + size > limits.batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(task);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
