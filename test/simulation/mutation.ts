/** A bug planted in the test's own layer: what the simulation must find. */

import type { Broker } from '../../src/broker/broker.ts';
import type { NewTask } from '../../src/core/task.ts';
import type { SimProcess } from './sim-process.ts';
import type { SimStore } from './sim-store.ts';
import type { Swarm } from './swarm.ts';

export interface Mutation {
  readonly name: string;
  /** What is wrong, in one sentence. */
  readonly says: string;
  /** The store it is planted in; memory when left out. */
  readonly on?: 'sqlite';
  /** Troubles in which it shows sooner than in those that a seed happens to draw. */
  readonly swarm?: Partial<Swarm>;
  /** Replaces calls of the store, below the witness. */
  readonly store?: (store: SimStore) => Partial<Broker>;
  /** Stands between a worker or server and its connection. */
  readonly member?: (broker: Broker, process: SimProcess) => Partial<Broker>;
  /** Ends a worker or server instead of its own end. */
  readonly stop?: (stop: () => Promise<void>) => Promise<void>;
  /** Changes a task before a producer sends it once more. */
  readonly beforeRepeat?: (task: NewTask, nextId: () => string) => NewTask;
}

/** `base` with some of its calls replaced. */
export function withCalls(base: Broker, calls: Partial<Broker>): Broker {
  return new Proxy(base, {
    get: (target, name) => Reflect.get(calls, name) ?? Reflect.get(target, name),
  });
}
