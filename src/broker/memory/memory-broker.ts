/** MemoryBroker: the reference every adapter is compared with. Plain and obviously right; nothing here is fast. */

import { type Chance, createToken } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import type { Broker } from '../broker.ts';
import { emptiedBy } from '../hand-over.ts';
import { createSubscribers } from '../subscribers.ts';
import { cancel } from './cancel.ts';
import { claim, peek } from './claim.ts';
import { control } from './control.ts';
import { enqueue } from './enqueue.ts';
import { heartbeat } from './heartbeat.ts';
import { getLimits } from './limits.ts';
import { createOutbox } from './outbox.ts';
import { claimOverdue } from './overdue.ts';
import { configure, remove, update } from './people.ts';
import { promote } from './promote.ts';
import { prune } from './prune.ts';
import { getQueues, getTasks, getWorkers, inspect } from './reads.ts';
import { release } from './release.ts';
import { restore } from './restore.ts';
import { retry } from './retry.ts';
import { createSchedules } from './schedules.ts';
import { settle } from './settle.ts';
import { createMemoryState, type MemoryState } from './state.ts';
import { beginStep, endStep, type Step } from './step.ts';
import { getGroups } from './turns.ts';

export interface MemoryBrokerOptions {
  /** Wall clock, milliseconds since the epoch; the store's clock does not follow it back. */
  readonly now: () => number;
  readonly chance: Chance;
  /** Opens another connection to a store that exists; without it a new one is made. */
  readonly state?: MemoryState;
}

/** Makes a broker whose store dies with the process. Everything it holds can be read in its `state`. */
export function createMemoryBroker(options: MemoryBrokerOptions): Broker & { readonly state: MemoryState } {
  const state = options.state ?? createMemoryState();
  if (state.incarnation === '') state.incarnation = createToken(options.chance);
  const subscribers = createSubscribers();
  let closed = false;

  /** Runs a whole call without ever yielding: that is the transaction. */
  const run = async <Answer>(call: (step: Step) => Answer): Promise<Answer> => {
    if (closed) throw taskFlowError('STORE_CLOSED');
    const step = beginStep(state, options.now());
    const answer = call(step);
    release(step);
    for (const signal of endStep(step)) subscribers.emit(signal);
    return answer;
  };

  return {
    state,
    open: () => run(() => {}),
    close: async () => {
      closed = true;
      subscribers.clear();
    },
    info: () =>
      run(({ now }) => ({
        kind: 'memory',
        durability: 'volatile',
        detail: 'memory of this process',
        incarnation: state.incarnation,
        protocol: 1,
        now,
      })),
    subscribe: subscribers.subscribe,
    enqueue: (tasks) =>
      run((step) => {
        const results = enqueue(step, tasks);
        release(step);
        const handOver = subscribers.handOver();
        const request = handOver?.claim(step.work) ?? null;
        if (handOver === null || request === null) return results;
        const claimed = claim(step, request);
        for (const queue of emptiedBy(request, claimed)) step.work.delete(queue);
        handOver.done(claimed);
        return results;
      }),
    restore: (tasks) => run((step) => restore(step, tasks)),
    claim: (request) => run((step) => claim(step, request)),
    heartbeat: (request) => run((step) => heartbeat(step, request)),
    settle: (settlements, claimNext) => run((step) => settle(step, settlements, claimNext)),
    promote: (limit) => run((step) => promote(step, limit)),
    claimOverdue: (request) => run((step) => claimOverdue(step, request)),
    prune: (limit) => run((step) => prune(step, limit)),
    cancel: (request) => run((step) => cancel(step, request)),
    retry: (taskIds) => run((step) => retry(step, taskIds)),
    remove: (taskIds) => run((step) => remove(step, taskIds)),
    update: (changes) => run((step) => update(step, changes)),
    configure: (scope, name, settings) => run((step) => configure(step, scope, name, settings)),
    control: (workerIds, command) => run((step) => control(step, workerIds, command)),
    getTasks: (taskIds) => run((step) => getTasks(step, taskIds)),
    getQueues: () => run(getQueues),
    peek: (queue, limit) => run((step) => peek(step, queue, limit)),
    getGroups: (from, limit) => run((step) => getGroups(step, from, limit)),
    getLimits: (from, limit) => run((step) => getLimits(step, from, limit)),
    getWorkers: () => run(getWorkers),
    inspect: (taskIds) => run((step) => inspect(step, taskIds)),
    schedules: createSchedules(run),
    ...(state.outbox !== null && { outbox: createOutbox(run) }),
  };
}
