/** A worker over a memory store with a clock moved by hand, for tests of what a worker does. */

import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Context, TaskDefinition } from '../../src/core/definition.ts';
import { definitionBrand } from '../../src/core/definition.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import type { NewTask, Task } from '../../src/core/task.ts';
import { sleep } from '../../src/core/time.ts';
import type { Sample, Store } from '../../src/history/history.ts';
import { createWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';

export interface WorkerRig {
  readonly clock: ManualClock;
  readonly broker: Broker;
  /** The same store without the faults. */
  readonly memory: Broker;
  readonly store: Store;
  readonly samples: Sample[];
  readonly worker: Worker;
  /** Names of the calls that reached the store, in order. */
  readonly calls: string[];
  /** Heartbeats in the order they were sent, in ms of the clock. */
  readonly beats: { readonly sentAt: number; readonly arrived: boolean }[];
  /** What the next calls of the store do instead of answering. */
  readonly faults: {
    fail: ((method: string) => unknown) | null;
    loseReply: ((method: string) => boolean) | null;
    waitMs: (() => number) | null;
  };
  /** Lines like "succeeded a". */
  readonly events: string[];
  enqueue(...tasks: Partial<NewTask>[]): Promise<readonly string[]>;
  task(id: string): Promise<Task>;
}

export type Handler = (input: unknown, context: Context) => unknown;

export function createWorkerRig(
  handlers: Readonly<Record<string, Handler>>,
  options: Partial<WorkerOptions> = {},
): WorkerRig {
  const clock = createManualClock();
  const chance = seededChance(7);
  const memory = createMemoryBroker({ now: clock.now, chance });
  const calls: string[] = [];
  const faults: WorkerRig['faults'] = { fail: null, loseReply: null, waitMs: null };
  const beats: WorkerRig['beats'] = [];
  const broker = withFaults(memory, clock, { calls, beats, faults });
  const samples: Sample[] = [];
  const store = {
    broker,
    history: { sample: async (more: readonly Sample[]) => samples.push(...more) > 0 },
    close: async () => {},
  } as unknown as Store;
  const definitions = Object.entries(handlers).map(([name, run]) => createDefinition(name, run));
  const worker = createWorker({ store, definitions, clock, chance, services: 'never', ...options });
  const events: string[] = [];
  for (const name of [
    'started',
    'succeeded',
    'failed',
    'retrying',
    'snoozed',
    'cancelled',
    'released',
    'dropped',
    'stuck',
  ] as const) {
    worker.on(name, (event) => events.push(`${name} ${event.name}`));
  }
  let ids = 0;
  return {
    clock,
    broker,
    memory,
    store,
    samples,
    worker,
    calls,
    beats,
    faults,
    events,
    async enqueue(...tasks) {
      const made = tasks.map((task) => newTask({ id: `T${String(++ids).padStart(25, '0')}`, ...task }));
      await memory.enqueue(made);
      return made.map((task) => task.id);
    },
    async task(id) {
      const [task] = await memory.getTasks([id]);
      if (task === null || task === undefined) throw new Error(`No task ${id}`);
      return task;
    },
  };
}

export function createDefinition(name: string, run: Handler): TaskDefinition {
  return {
    name,
    description: null,
    queue: 'default',
    timeoutMs: null,
    policy: '{}',
    isolate: 'none',
    memoryMb: null,
    file: null,
    key: null,
    keyForMs: null,
    ifExists: 'return',
    group: null,
    limits: [],
    inputSchema: null,
    schemaVersion: null,
    retryOn: null,
    parseInput: async (input: unknown) => input,
    parseOutput: async (output: unknown) => output,
    run,
  } as unknown as TaskDefinition;
}

/** What `task()` would return, as far as discovery looks at it. */
export function branded(definition: TaskDefinition): object {
  return { [definitionBrand]: definition };
}

export function newTask(given: Partial<NewTask>): NewTask {
  return {
    id: 'T',
    name: 'a',
    queue: 'default',
    payload: '{}',
    schemaVersion: null,
    priority: 5,
    delayMs: 0,
    at: null,
    startWithinMs: null,
    expiresInMs: null,
    timeoutMs: null,
    policy: '{}',
    keepMs: 1_000_000,
    strictCancel: false,
    group: null,
    limits: [],
    key: null,
    keyForMs: null,
    ifExists: 'return',
    dependsOn: [],
    blocks: [],
    flowId: null,
    tags: [],
    traceparent: null,
    firedBy: null,
    ...given,
  };
}

/** The broker with a record of its calls; a fault either keeps a call from arriving or loses its reply. */
function withFaults(
  broker: Broker,
  clock: ManualClock,
  { calls, beats, faults }: Pick<WorkerRig, 'calls' | 'beats' | 'faults'>,
): Broker {
  return new Proxy(broker, {
    get(target, name: string) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function' || name === 'subscribe') return value;
      return async (...parameters: unknown[]) => {
        calls.push(name);
        const sentAt = clock.elapsed();
        if (faults.waitMs !== null) await sleep(clock, faults.waitMs());
        const fault = faults.fail?.(name);
        if (name === 'heartbeat') beats.push({ sentAt, arrived: !fault });
        if (fault) throw fault;
        const answer: unknown = await Reflect.apply(value, target, parameters);
        if (faults.waitMs !== null) await sleep(clock, faults.waitMs());
        if (faults.loseReply?.(name)) throw taskFlowError('STORE_UNREACHABLE', { problem: 'the reply was lost' });
        return answer;
      };
    },
  });
}
