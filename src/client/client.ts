/** Enqueues for one store: opens it on first use, batches, and makes handles. */

import type { Broker, EnqueueResult } from '../broker/broker.ts';
import { type Chance, systemChance } from '../core/chance.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { createIds, parseId } from '../core/ids.ts';
import { checkOptionNames } from '../core/option-names.ts';
import type { NewTask } from '../core/task.ts';
import type { TaskEnd } from '../core/task-end.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { isTracing, traceSend } from '../telemetry/tracing.ts';
import { createEndLog, type EndLog, type EndLogStore } from './end-log.ts';
import { conflictError, newTask, prepareInput } from './enqueue.ts';
import { createEnqueueBatcher } from './enqueue-batcher.ts';
import { allOf, carryingTrace, idFor, type Many, numbered, prepareMany, sendMany } from './enqueue-many.ts';
import { createHandle, type Handle, type HandleContext } from './handle.ts';
import { type EnqueueOptions, type ManyOptions, readTransaction } from './options.ts';
import { sendTraced } from './send-traced.ts';
import { sendWithin } from './transaction.ts';
import { createWaiter, type WaitedBroker, type Waiter } from './waiter.ts';

/** What a client calls of a broker. */
export type ClientBroker = Pick<
  Broker,
  | 'enqueue'
  | 'getTasks'
  | 'endsOf'
  | 'finished'
  | 'cancel'
  | 'subscribe'
  | 'getWorkers'
  | 'info'
  | 'transactions'
  | 'outbox'
>;

/** What a client needs of a store. */
export interface ClientStore extends Pick<Store, 'close' | 'isParallel'> {
  readonly broker: ClientBroker;
  /** Its event log, where handles read who has ended; without it each is looked at. */
  readonly history?: EndLogStore['history'];
  /** Where its dashboard is, for the handles' `url`. */
  readonly url?: string;
}

/** Enqueues any task whose definition is at hand. Outputs are what the definition's type says. */
export interface Client {
  enqueue<Output>(definition: TaskDefinition, input: unknown, options?: EnqueueOptions): Promise<Handle<Output>>;
  /** `items` are inputs, or `{ input, options }` when every one of them has just these fields. */
  enqueueMany<Output>(
    definition: TaskDefinition,
    items: readonly unknown[],
    options?: ManyOptions,
  ): Promise<Handle<Output>[]>;
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
  const { clock = systemClock, chance = systemChance, ready } = options;
  const store = createStoreOpener(options.open);
  const ids = createIds(clock, chance);
  const batcher = createEnqueueBatcher(store.broker, { isParallel: store.isParallel });
  const waiter = createEndWaiter(store, clock);
  const context: HandleContext = { open: store.broker, waiter, url: store.url };

  async function send(task: NewTask, tx: unknown): Promise<EnqueueResult | undefined> {
    if (tx !== undefined) return (await sendWithin(await store.broker(), tx, allOf([task])))[0];
    // Alone: a parent that does not exist would be the refusal of whatever else is in the batch.
    if (task.dependsOn.length > 0) return (await sendMany(store.broker, allOf([task])))[0];
    return batcher.enqueue(task);
  }

  return {
    async enqueue(definition, input, enqueueOptions = {}) {
      // Whatever is there is not waited for: each wait of a thousand callers is one more turn.
      const preparing = prepareInput(definition, input);
      const prepared = preparing instanceof Promise ? await preparing : preparing;
      if (ready !== undefined) await ready();
      const { tx, rest } = readTransaction(enqueueOptions);
      const task = newTask(definition, prepared, rest, idFor(rest, ids));
      return handleOf(
        context,
        task,
        await (isTracing() ? sendTraced([task], ([sent = task]) => send(sent, tx)) : send(task, tx)),
      );
    },
    async enqueueMany(definition, items, manyOptions = {}) {
      if (ready !== undefined) await ready();
      checkOptionNames(manyOptions, ['tx'], [], 'The options of enqueueMany');
      const { tx } = manyOptions;
      const many = await prepareMany(definition, items, ids);
      const sent = { name: definition.name, queue: definition.queue, count: many.ids.length };
      const results = await traceSend(sent, null, async (traceparent) => {
        const carrying = traceparent === null ? many : carryingTrace(many, traceparent);
        return tx === undefined ? sendMany(store.broker, carrying) : sendWithin(await store.broker(), tx, carrying);
      });
      return many.ids.map((_id, index) => handleAt<never>(context, many, index, results[index]));
    },
    handle: (taskId) => createHandle(context, parseId(taskId), false),
    open: store.broker,
    close: store.close,
  };
}

/** Opens once for everybody, forgets a failure, stays closed. */
function createStoreOpener(open: () => Promise<ClientStore>): {
  open(): Promise<ClientStore>;
  /** `null` until it is open. */
  opened(): ClientStore | null;
  broker(): Promise<ClientBroker>;
  url(): string;
  isParallel(): boolean;
  close(): Promise<void>;
} {
  let url = urlDefault;
  let isParallel = false;
  let known: ClientStore | null = null;
  let opened: Promise<ClientStore> | null = null;
  let closing: Promise<void> | null = null;

  async function closeOpened(): Promise<void> {
    // Whoever asked for a store that does not open is told so; here there is nothing to close then.
    const store = await opened?.catch(() => null);
    await store?.close();
  }

  async function openOnce(): Promise<ClientStore> {
    if (closing !== null) throw taskFlowError('STORE_CLOSED');
    opened ??= open().catch((error: unknown) => {
      opened = null;
      throw error;
    });
    const store = await opened;
    url = store.url?.replace(/\/+$/, '') ?? urlDefault;
    isParallel = store.isParallel === true;
    known = store;
    return store;
  }

  return {
    open: openOnce,
    opened: () => known,
    broker: async () => (await openOnce()).broker,
    url: () => url,
    isParallel: () => isParallel,
    close() {
      closing ??= closeOpened();
      return closing;
    },
  };
}

/** Where a store is reached through a server, that waits; everywhere else it is done here. */
function createEndWaiter(store: ReturnType<typeof createStoreOpener>, clock: Clock): Waiter<TaskEnd> {
  const own = createWaiter<TaskEnd>(
    async () => waitedBroker(await store.broker()),
    clock,
    async () => endLogOf(await store.open(), clock),
  );
  return {
    finished(taskId, timeoutMs, signal) {
      const { broker } = store.opened() ?? {};
      if (broker !== undefined) return (broker.finished ?? own.finished)(taskId, timeoutMs, signal);
      return firstWait(own, store, clock)(taskId, timeoutMs, signal);
    },
  };
}

/** Of a store that is not open yet nobody knows who waits there. One that does not open in time is told of as such. */
function firstWait(
  own: Waiter<TaskEnd>,
  store: ReturnType<typeof createStoreOpener>,
  clock: Clock,
): Waiter<TaskEnd>['finished'] {
  return (taskId, timeoutMs, signal) => {
    const ended = new AbortController();
    const until = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
    const from = clock.elapsed();
    const beside = store.broker().then((broker) => {
      if (broker.finished === undefined) return waiting;
      return broker.finished(taskId, Math.max(1, timeoutMs - (clock.elapsed() - from)), until);
    });
    const waiting: Promise<TaskEnd> = own.finished(taskId, timeoutMs, until);
    return Promise.race([waiting, beside.catch(() => waiting)]).finally(() => ended.abort());
  };
}

/** Where a store is reached through a server, that tells how tasks stand and no more of them. */
function waitedBroker(broker: ClientBroker): WaitedBroker<TaskEnd> {
  return {
    getTasks: (taskIds) => broker.endsOf?.(taskIds) ?? broker.getTasks(taskIds),
    subscribe: (listener) => broker.subscribe(listener),
  };
}

/** An outbox tells the same by its hints, and keeps nothing for readers. */
function endLogOf({ broker, history }: ClientStore, clock: Clock): EndLog | null {
  return history === undefined || broker.outbox !== undefined ? null : createEndLog({ broker, history }, clock);
}

/** The handle for what became of a task; throws ID_CONFLICT or KEY_CONFLICT. */
function handleOf<Output>(
  context: HandleContext,
  task: Pick<NewTask, 'id' | 'key'>,
  result: EnqueueResult | undefined,
): Handle<Output> {
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

/** The same for one of many; an error says which. */
function handleAt<Output>(
  context: HandleContext,
  many: Many,
  index: number,
  result: EnqueueResult | undefined,
): Handle<Output> {
  if (result?.outcome === 'created') return createHandle(context, result.taskId, true);
  try {
    return handleOf(context, many.task(index), result);
  } catch (error) {
    throw numbered(index, error);
  }
}
