/** Enqueues for one store: opens it on first use, batches, and makes handles. */

import type { Broker, EnqueueResult } from '../broker/broker.ts';
import { type Chance, systemChance } from '../core/chance.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { retold, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { createIds, type Ids, parseId } from '../core/ids.ts';
import { utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { NewTask } from '../core/task.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { conflictError, newTask, type PreparedInput, prepareInput } from './enqueue.ts';
import { createEnqueueBatcher } from './enqueue-batcher.ts';
import { createHandle, type Handle, type HandleContext } from './handle.ts';
import type { EnqueueOptions } from './options.ts';
import { createWaiter } from './waiter.ts';

/** One of many inputs, with options of its own. */
export interface EnqueueItem<Input> {
  readonly input: Input;
  readonly options?: EnqueueOptions;
}

/** What a client calls of a broker. */
export type ClientBroker = Pick<Broker, 'enqueue' | 'getTasks' | 'cancel' | 'subscribe' | 'getWorkers' | 'info'>;

/** What a client needs of a store. */
export interface ClientStore extends Pick<Store, 'close'> {
  readonly broker: ClientBroker;
  /** Where its dashboard is, for the handles' `url`. */
  readonly url?: string;
}

/** Enqueues any task whose definition is at hand. Outputs are what the definition's type says. */
export interface Client {
  enqueue<Output>(definition: TaskDefinition, input: unknown, options?: EnqueueOptions): Promise<Handle<Output>>;
  /** `items` are inputs, or `{ input, options }` when every one of them has just these fields. */
  enqueueMany<Output>(definition: TaskDefinition, items: readonly unknown[]): Promise<Handle<Output>[]>;
  /** The handle of a task that exists, or did. */
  handle<Output>(taskId: string): Handle<Output>;
  /** The open broker. Rejects with STORE_* when it cannot be opened; the next call tries again. */
  open(): Promise<ClientBroker>;
  /** Closes the store if it was opened; later calls reject with STORE_CLOSED. A process may also just end. */
  close(): Promise<void>;
}

export interface ClientOptions {
  /** Opens the store; called on first use, once unless it rejects. */
  open(): Promise<ClientStore>;
  /** Awaited before a task is made of a definition, which takes the project's defaults at that moment. */
  readonly ready?: () => Promise<unknown>;
  readonly clock?: Clock;
  readonly chance?: Chance;
}

const urlDefault = 'http://127.0.0.1:8000';

/** Makes a client. Nothing is opened yet. */
export function makeClient(options: ClientOptions): Client {
  const { clock = systemClock, chance = systemChance, ready = async () => undefined } = options;
  const store = createStoreOpener(options.open);
  const ids = createIds(clock, chance);
  const batcher = createEnqueueBatcher(store.broker);
  const context: HandleContext = { open: store.broker, waiter: createWaiter(store.broker, clock), url: store.url };

  return {
    async enqueue(definition, input, enqueueOptions = {}) {
      const prepared = await prepareInput(definition, input);
      await ready();
      const task = newTask(definition, prepared, enqueueOptions, idFor(enqueueOptions, ids));
      // Alone: a parent that does not exist would be the refusal of whatever else is in the batch.
      if (task.dependsOn.length > 0) return handleOf(context, task, (await sendMany(store.broker, [task]))[0]);
      return handleOf(context, task, await batcher.enqueue(task));
    },
    async enqueueMany(definition, items) {
      await ready();
      const tasks = await prepareMany(definition, items, ids);
      const results = await sendMany(store.broker, tasks);
      return tasks.map((task, index) => numbering(index, () => handleOf<never>(context, task, results[index])));
    },
    handle: (taskId) => createHandle(context, parseId(taskId), false),
    open: store.broker,
    close: store.close,
  };
}

/** Opens once for everybody, forgets a failure, stays closed. */
function createStoreOpener(open: () => Promise<ClientStore>): {
  broker(): Promise<ClientBroker>;
  url(): string;
  close(): Promise<void>;
} {
  let url = urlDefault;
  let opened: Promise<ClientStore> | null = null;
  let closing: Promise<void> | null = null;

  async function closeOpened(): Promise<void> {
    // Whoever asked for a store that does not open is told so; here there is nothing to close then.
    const store = await opened?.catch(() => null);
    await store?.close();
  }

  return {
    async broker() {
      if (closing !== null) throw taskFlowError('STORE_CLOSED');
      opened ??= open().catch((error: unknown) => {
        opened = null;
        throw error;
      });
      const store = await opened;
      url = store.url?.replace(/\/+$/, '') ?? urlDefault;
      return store.broker;
    },
    url: () => url,
    close() {
      closing ??= closeOpened();
      return closing;
    },
  };
}

function idFor(options: EnqueueOptions, ids: Ids): string {
  return options.id === undefined ? ids.next() : parseId(options.id);
}

/** Checks and renders all before anything is sent; an error names the position of its input. */
async function prepareMany(
  definition: TaskDefinition,
  items: readonly unknown[],
  ids: Ids,
): Promise<readonly NewTask[]> {
  if (!Array.isArray(items)) throw invalidOption('enqueueMany', 'a list of inputs is needed');
  const pairs = items.every(isItem);
  const make = (item: unknown, index: number): NewTask | Promise<NewTask> => {
    const { input, options = noOptions } = pairs ? (item as EnqueueItem<unknown>) : { input: item };
    const finish = (prepared: PreparedInput): NewTask => newTask(definition, prepared, options, idFor(options, ids));
    try {
      const prepared = prepareInput(definition, input);
      return prepared instanceof Promise
        ? prepared.then(finish).catch((error: unknown) => failAt(index, error))
        : finish(prepared);
    } catch (error) {
      // A promise, so that those of the others are heard of too.
      return Promise.reject(numbered(index, error));
    }
  };
  const tasks = items.map(make);
  // A promise a task would be a third of a bulk enqueue: most schemas answer at once.
  return tasks.every((task) => !(task instanceof Promise)) ? (tasks as NewTask[]) : Promise.all(tasks);
}

const noOptions: EnqueueOptions = {};

/** Says which item an error is about. */
function numbering<Value>(index: number, make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    throw numbered(index, error);
  }
}

function failAt(index: number, error: unknown): never {
  throw numbered(index, error);
}

function numbered(index: number, error: unknown): unknown {
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

function* batchesOf(tasks: readonly NewTask[]): Generator<readonly NewTask[]> {
  let batch: NewTask[] = [];
  let bytes = 0;
  for (const task of tasks) {
    // At most three bytes a UTF-16 unit: what is short is not counted, and a batch of it is full by its number.
    const bound = task.payload.length * 3;
    const size = bound * limits.batchMax <= limits.batchBytesMax ? bound : utf8Length(task.payload);
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

/** Sends all, one call after the other. An error of the store names every id, so that the whole list can be sent again. */
async function sendMany(
  open: () => Promise<ClientBroker>,
  tasks: readonly NewTask[],
): Promise<readonly EnqueueResult[]> {
  const results: EnqueueResult[] = [];
  try {
    const broker = await open();
    for (const batch of batchesOf(tasks)) results.push(...(await broker.enqueue(batch)));
    return results;
  } catch (error) {
    if (!(error instanceof TaskFlowError)) throw error;
    const hint =
      'Send the list again with these ids, as { input, options: { id } }: what was stored is not stored twice.';
    const details = { ids: tasks.map((task) => task.id), stored: results.length };
    throw retold(error, { details, ...(error.retryable ? { hint } : {}) });
  }
}

/** The handle for what became of a task; throws ID_CONFLICT or KEY_CONFLICT. */
function handleOf<Output>(context: HandleContext, task: NewTask, result: EnqueueResult | undefined): Handle<Output> {
  switch (result?.outcome) {
    case 'created':
    case 'replaced':
      return createHandle(context, result.taskId, true);
    case 'existing':
      return createHandle(context, result.taskId, false);
    case 'duplicate':
      return createHandle(context, result.of, false);
    case 'conflict':
      throw conflictError(task, result.of);
    case undefined:
      throw taskFlowError('INTERNAL', { problem: 'the broker answered for fewer tasks than it was given' });
  }
}
