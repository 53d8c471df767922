/** An engine over a memory store with a clock moved by hand, whose calls can be counted, fail, and wait. */
import type { Broker } from '../../src/broker/broker.ts';
import { createMemoryBroker } from '../../src/broker/memory/memory-broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Presence } from '../../src/core/presence.ts';
import type { Lease, NewTask, Task } from '../../src/core/task.ts';
import { createEngine, type Engine, type EngineOptions } from '../../src/engine/engine.ts';
import type { Sample, Store } from '../../src/history/history.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';
import { newTask } from './worker-rig.ts';

export interface EngineRig {
  readonly clock: ManualClock;
  readonly broker: Broker;
  readonly engine: Engine;
  readonly samples: Sample[];
  readonly calls: string[];
  /** How far the store's clock stands before ours. */
  storeAheadMs: number;
  fail: boolean;
  /** While it is not over, calls of the engine wait: somebody holds the lock of the store. */
  lock: Promise<void> | null;
  enqueue(task: Partial<NewTask>): Promise<string>;
  claim(workerId: string, leaseMs?: number): Promise<readonly Lease[]>;
  task(id: string): Promise<Task>;
}

/** `deaf`: it hears no hint of the store. */
export function createEngineRig(options: Partial<EngineOptions> = {}, { deaf = false } = {}): EngineRig {
  const clock = createManualClock();
  const chance = seededChance(3);
  const calls: string[] = [];
  const samples: Sample[] = [];
  const memory = createMemoryBroker({ now: () => clock.now() + rig.storeAheadMs, chance });
  const spied = <Target extends object>(part: Target, prefix: string): Target =>
    new Proxy(part, {
      get(target, name: string) {
        const value: unknown = Reflect.get(target, name);
        if (name === 'schedules' && typeof value === 'object' && value !== null) return spied(value, 'schedules.');
        if (name === 'subscribe' && deaf) return () => () => undefined;
        if (typeof value !== 'function' || name === 'subscribe') return value;
        return async (...parameters: unknown[]) => {
          calls.push(prefix + name);
          if (rig.fail) throw new Error('away');
          if (rig.lock !== null) await rig.lock;
          return Reflect.apply(value, target, parameters);
        };
      },
    });
  const broker = spied(memory, '');
  const history = { sample: async (more: readonly Sample[]) => samples.push(...more) > 0 };
  const store = { broker, history, close: async () => {} } as unknown as Store;
  let ids = 0;
  const rig: EngineRig = {
    clock,
    broker: memory,
    engine: createEngine({ store, clock, chance, isGone: () => false, ...options }),
    samples,
    calls,
    storeAheadMs: 0,
    fail: false,
    lock: null,
    async enqueue(task) {
      const id = `T${++ids}`;
      await memory.enqueue([newTask({ id, ...task })]);
      return id;
    },
    async claim(workerId, leaseMs = 30_000) {
      const request = {
        workerId,
        token: `${workerId}${++ids}`,
        queues: [{ name: 'default', limit: 100 }],
        limit: 100,
        leaseMs,
      };
      return (await memory.claim(request)).map(({ lease }) => lease);
    },
    async task(id) {
      const [task] = await memory.getTasks([id]);
      if (task === null || task === undefined) throw new Error(`no task ${id}`);
      return task;
    },
  };
  return rig;
}

export const presence = (workerId: string, more: Partial<Presence> = {}): Presence => ({
  workerId,
  name: workerId,
  host: 'h',
  pid: 1,
  bootId: 'b',
  version: '1',
  queues: { default: 4 },
  concurrency: 4,
  running: 0,
  state: 'ready',
  services: false,
  server: false,
  taskNames: [],
  definitions: null,
  ...more,
});
