/** Remembers once a minute what waited and ran in each queue, and the slots there were for it. */

import type { QueueRecord } from '../broker/broker.ts';
import { isAlive, type WorkerRecord } from '../core/presence.ts';
import type { Sample, Store } from '../history/history.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

const minuteMs = 60_000;

/** One tick a minute, just after its start by the store's clock; whoever comes first stores the samples. */
export function createSampler(store: Store, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Service {
  let untilNextMs = minuteMs;
  return createService({
    name: 'sampler',
    periodMs: 2 * minuteMs,
    dueMs: () => untilNextMs,
    ...loop,
    async tick(signal) {
      const { now } = await store.broker.info();
      signal.throwIfAborted();
      const [queues, workers] = await Promise.all([store.broker.getQueues(), store.broker.getWorkers()]);
      signal.throwIfAborted();
      const samples = samplesOf(now, queues, workers);
      if (samples.length > 0) await store.history.sample(samples);
      untilNextMs = minuteMs - (now % minuteMs);
      return 'done';
    },
  });
}

/** What the queues hold and who serves them at `now`, as samples of that minute. `waiting` counts what could run now. */
export function samplesOf(now: number, queues: readonly QueueRecord[], workers: readonly WorkerRecord[]): Sample[] {
  const alive = workers.filter((worker) => isAlive(worker, now));
  const names = new Set(queues.map((queue) => queue.name));
  for (const worker of alive) for (const name of Object.keys(worker.queues)) names.add(name);
  const records = new Map(queues.map((queue) => [queue.name, queue]));
  const at = now - (now % minuteMs);
  return [...names].map((name) => {
    const counts = records.get(name)?.counts ?? {};
    const serving = alive.filter((worker) => Object.hasOwn(worker.queues, name));
    const slots = serving.reduce((sum, worker) => sum + (worker.state === 'ready' ? (worker.queues[name] ?? 0) : 0), 0);
    return {
      at,
      queue: name,
      waiting: counts.queued ?? 0,
      running: counts.running ?? 0,
      slots,
      workers: serving.length,
    };
  });
}
