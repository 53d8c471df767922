/** RedisBroker: the seam in Lua, one script for each call. */

import { type Chance, systemChance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker, Outbox } from '../broker.ts';
import { claim } from './claim.ts';
import { createConnection } from './connection.ts';
import { enqueue, enqueueAndHandOver } from './enqueue.ts';
import { createOutbox } from './events.ts';
import { heartbeat } from './heartbeat.ts';
import { inspect } from './inspect.ts';
import { createNews } from './news.ts';
import { claimOverdue } from './overdue.ts';
import { cancel, configure, remove, retry, update } from './people.ts';
import { promote } from './promote.ts';
import { getGroups, getLimits, getQueues, getTasks, peek } from './reads.ts';
import { restore } from './restore.ts';
import { createSchedules } from './schedules.ts';
import { loadScripts, type OutboxLimits } from './scripts.ts';
import { settle } from './settle.ts';
import type { Told } from './signals.ts';
import type { Address } from './way.ts';
import { control, getWorkers } from './workers.ts';

export interface RedisOptions {
  readonly address: Address;
  /** One of several systems in one server: all its keys begin with it, in one hash slot. */
  readonly namespace: string;
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** For tests: what the scripts take for the time of the server. Its clock counts when this is absent. */
  readonly now?: () => number;
  /** For tests: smaller bounds than those of `limits`. */
  readonly outboxLimits?: OutboxLimits;
}

export function createRedisBroker(options: RedisOptions): Broker & { readonly outbox: Outbox } {
  const { clock = systemClock, chance = systemChance, outboxLimits, ...place } = options;
  const scripts = outboxLimits && loadScripts(outboxLimits);
  const connection = createConnection({ ...place, clock, chance, scripts });
  const news = createNews(connection, clock);
  let state: 'new' | 'open' | 'closed' = 'new';
  let inFlight = 0;
  let onIdle: (() => void) | null = null;
  let opening: Promise<void> | null = null;
  let closing: Promise<void> | null = null;

  /** Refuses calls outside open … close, and lets close wait for the others. */
  const guarded = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
    if (state === 'closed') throw taskFlowError('STORE_CLOSED');
    if (state === 'new') throw new Error('Invariant broken: the broker is opened before it is used');
    inFlight += 1;
    try {
      return await call();
    } finally {
      inFlight -= 1;
      if (inFlight === 0) onIdle?.();
    }
  };

  const telling = <Answer>(call: () => Promise<Told<Answer>>): Promise<Answer> =>
    guarded(async () => {
      const told = await call();
      news.tell(told);
      return told.answer;
    });

  const openOnce = async (): Promise<void> => {
    await connection.connect();
    state = 'open';
    news.begin();
  };

  const closeOnce = async (): Promise<void> => {
    await opening?.catch(() => {});
    state = 'closed';
    news.silence();
    connection.stopWaiting();
    if (inFlight > 0) await new Promise<void>((resolve) => (onIdle = resolve));
    await news.end();
    connection.close();
  };

  return {
    open: () => {
      if (closing !== null) return Promise.reject(taskFlowError('STORE_CLOSED'));
      opening ??= openOnce();
      return opening;
    },
    close: () => {
      closing ??= closeOnce();
      return closing;
    },
    info: () => guarded(async () => ({ kind: 'redis', ...(await connection.identify()) })),
    reconnect: () => {
      if (state === 'open') connection.reconnect();
    },
    subscribe: news.subscribe,
    keepsClaims: true,
    enqueue: (tasks) =>
      telling(() => {
        const handOver = news.handOver();
        return handOver === null ? enqueue(connection, tasks) : enqueueAndHandOver(connection, handOver, tasks);
      }),
    claim: (request) => guarded(() => claim(connection, request)),
    heartbeat: (request) => guarded(() => heartbeat(connection, request)),
    settle: (settlements, claimNext) => telling(() => settle(connection, settlements, claimNext)),
    promote: (limit) => telling(() => promote(connection, limit)),
    getTasks: (taskIds) => guarded(() => getTasks(connection, taskIds)),
    getQueues: () => guarded(() => getQueues(connection)),
    getWorkers: () => guarded(() => getWorkers(connection)),
    peek: (queue, limit) => guarded(() => peek(connection, queue, limit)),
    getGroups: (from, limit) => guarded(() => getGroups(connection, from, limit)),
    getLimits: (from, limit) => guarded(() => getLimits(connection, from, limit)),
    restore: (tasks) => telling(() => restore(connection, tasks)),
    claimOverdue: (request) => guarded(() => claimOverdue(connection, request)),
    prune: (limit) => guarded(() => connection.run<number>('prune', [Math.min(limit, limits.batchMax)])),
    cancel: (request) => telling(() => cancel(connection, request)),
    retry: (taskIds) => telling(() => retry(connection, taskIds)),
    remove: (taskIds) => guarded(() => remove(connection, taskIds)),
    update: (changes) => telling(() => update(connection, changes)),
    configure: (scope, name, settings) =>
      telling(async () => ({ answer: undefined, signals: await configure(connection, scope, name, settings) })),
    outbox: createOutbox(connection, guarded),
    control: (workerIds, command) => telling(() => control(connection, workerIds, command)),
    inspect: (taskIds) => guarded(() => inspect(connection, taskIds)),
    schedules: createSchedules(connection, { guarded, telling }),
  };
}
