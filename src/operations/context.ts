/** Makes the context operations run in. */

import type { Broker } from '../broker/broker.ts';
import { createEndLog } from '../client/end-log.ts';
import { createEnqueueBatcher } from '../client/enqueue-batcher.ts';
import { createWaiter } from '../client/waiter.ts';
import { type Chance, systemChance } from '../core/chance.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { createIds } from '../core/ids.ts';
import { once } from '../core/once.ts';
import { overlay } from '../core/overlay.ts';
import { createRedactions } from '../core/redact.ts';
import { readRedactPaths } from '../core/redact-paths.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { History, Store } from '../history/history.ts';
import type { SettingDocument } from './config.ts';
import { createDefinitions } from './definitions.ts';
import { createForeignLeases } from './foreign-leases.ts';
import { createHeldTasks } from './held-tasks.ts';
import type { Actor, OperationContext } from './operation.ts';
import { createQueueNames } from './queue-names.ts';
import { redactedStore } from './redacted-store.ts';
import { createResultPlaces } from './result-places.ts';
import { createWorkerHints } from './worker-hints.ts';

export interface ContextOptions {
  readonly store: Store;
  readonly actor: Actor;
  /** Definitions of this process; those of living workers are known beside them. */
  readonly definitions?: readonly TaskDefinition[];
  /** What `config.get` tells, with all that is secret masked. */
  readonly settings?: readonly SettingDocument[];
  /** Paths of values that nobody is shown, beside those of the tasks themselves. Throws INVALID_OPTION for what is none. */
  readonly redact?: readonly string[];
  readonly clock?: Clock;
  readonly chance?: Chance;
}

/** A context over an open store. Keep it: it remembers ids and what workers published. */
export function createContext({
  store,
  actor,
  definitions = [],
  settings,
  redact = [],
  clock = systemClock,
  chance = systemChance,
}: ContextOptions): OperationContext {
  const paths = readRedactPaths(redact);
  const redactionOf = createRedactions(paths);
  const shown = redactedStore(store, paths, redactionOf);
  const open = async () => shown.broker;
  // An outbox tells the same by its hints, and keeps nothing for readers.
  const log = store.broker.outbox === undefined ? createEndLog(store, clock) : null;
  return {
    store: shown,
    unredacted: store,
    redactionOf,
    actor,
    clock,
    ...(settings !== undefined && { settings }),
    enqueuer: createEnqueueBatcher(open, { isParallel: () => store.isParallel === true, gathersTurn: true }),
    waiter: createWaiter(open, clock, async () => log),
    resultPlaces: createResultPlaces(),
    ids: createIds(clock, chance),
    queueNames: createQueueNames(store.broker, clock),
    definitions: createDefinitions(store.broker, clock, definitions),
    remote: {
      hints: createWorkerHints(store.broker, clock),
      held: createHeldTasks(store.broker, redactionOf),
      foreign: createForeignLeases(clock),
      chance,
    },
  };
}

/**
 * The same context for one page: its operations share one look at the store's clock, workers, queues and records, so that
 * they cost one query each and agree with each other. Not for changes: what was read stays as it was.
 */
export function sharedLook(context: OperationContext): OperationContext {
  const { broker, history } = context.store;
  const facts = new Map<string, ReturnType<Broker['inspect']>>();
  const shared: Pick<Broker, 'info' | 'getWorkers' | 'getQueues' | 'inspect'> = {
    info: once(() => broker.info()),
    getWorkers: once(() => broker.getWorkers()),
    getQueues: once(() => broker.getQueues()),
    inspect(taskIds) {
      const key = taskIds.join(' ');
      const known = facts.get(key) ?? broker.inspect(taskIds);
      facts.set(key, known);
      return known;
    },
  };
  const records = new Map<string, ReturnType<History['task']>>();
  const task: History['task'] = (taskId) => {
    const record = records.get(taskId) ?? history.task(taskId);
    records.set(taskId, record);
    return record;
  };
  const store = overlay(context.store, { broker: overlay(broker, shared), history: overlay(history, { task }) });
  return { ...context, store };
}
