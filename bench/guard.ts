/** What the guard of the event loop costs a worker that runs no-ops, and which of its parts: in pairs, by time and by CPU. */

import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Worker as Thread } from 'node:worker_threads';
import { z } from 'zod';
import { createSqliteStore } from '../src/broker/connect.ts';
import { makeClient } from '../src/client/client.ts';
import { definitionBrand } from '../src/core/definition.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { task } from '../src/index.ts';
import { SharedFacts } from '../src/worker/shared-facts.ts';
import { createWorker } from '../src/worker/worker.ts';

const rounds = 7;
const tasks = 40_000;
/** Until the thread runs: its start, some 100 ms of CPU built and 300 from the sources, is paid once a process. */
const warmTasks = 500;
const warmMs = 400;

const noop = task('noop', { input: z.object({}), run: async () => null })[definitionBrand];
const pause = { by: 'bench', reason: null };

const { postMessage } = Thread.prototype;
const { begin, end } = SharedFacts.prototype;
const { run: runWith } = AsyncLocalStorage.prototype;

/** What is left out, in the place of the real thing. */
const variants: Readonly<Record<string, (on: boolean) => void>> = {
  'no guard': () => undefined,
  all: () => undefined,
  'all but the message by claim': (on) => {
    Thread.prototype.postMessage = on
      ? function (this: Thread, order: { kind?: unknown }) {
          if (order.kind !== 'hold') postMessage.call(this, order);
        }
      : postMessage;
  },
  'all but the marks of starts': (on) => {
    SharedFacts.prototype.begin = on ? () => undefined : begin;
    SharedFacts.prototype.end = on ? () => undefined : end;
  },
  'all but whose strays they are': (on) => {
    AsyncLocalStorage.prototype.run = on
      ? <Result, Given extends unknown[]>(_store: unknown, call: (...given: Given) => Result, ...given: Given) =>
          call(...given)
      : runWith;
  },
};

interface Cost {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** Prints each variant beside a worker without a guard, as the median of its pairs. */
export async function run(): Promise<void> {
  const costs = new Map(Object.keys(variants).map((name) => [name, [] as Cost[]]));
  await measure('all');
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(variants);
    // There and back again: whatever grows or warms up meets the first as often as the last.
    for (const name of round % 2 === 0 ? names : names.reverse()) costs.get(name)?.push(await measure(name));
  }
  const bare = costs.get('no guard') ?? [];
  for (const [name, mine] of costs) {
    const ratio = (of: (cost: Cost) => number): string =>
      median(mine.map((cost, index) => of(cost) / of(bare[index] ?? cost))).toFixed(3);
    const cpu = median(mine.map(({ cpuMicros }) => cpuMicros)).toFixed(1);
    console.log(
      `${name.padEnd(30)} rate × ${ratio((one) => one.perSecond)}   CPU × ${ratio((one) => one.cpuMicros)} (${cpu} µs a task)`,
    );
  }
}

async function measure(name: string): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-guard-bench-'));
  const store = createSqliteStore({ file: join(folder, 'bench.db') });
  await store.broker.open();
  variants[name]?.(true);
  try {
    return await measureOn(store, name === 'no guard');
  } finally {
    variants[name]?.(false);
    await store.close();
    rmSync(folder, { recursive: true });
  }
}

async function measureOn({ address, ...store }: Store, isBare: boolean): Promise<Cost> {
  const used: Store = isBare || address === undefined ? store : { ...store, address };
  const client = makeClient({ open: async () => store });
  const [warm, all] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let done = 0;
  await using worker = createWorker({ store: used, definitions: [noop], services: 'never' });
  worker.on('succeeded', () => {
    done += 1;
    if (done === warmTasks) warm.resolve();
    if (done === warmTasks + tasks) all.resolve();
  });
  worker.start();
  await client.enqueueMany(noop, Array(warmTasks).fill({}));
  await warm.promise;
  await sleep(systemClock, warmMs);
  await store.broker.configure('queue', 'default', { pause });
  for (let left = tasks; left > 0; left -= 10_000) await client.enqueueMany(noop, Array(10_000).fill({}));
  const [cpu, startedAt] = [process.cpuUsage(), systemClock.elapsed()];
  await store.broker.configure('queue', 'default', { pause: null });
  await all.promise;
  const [{ user, system }, tookMs] = [process.cpuUsage(cpu), systemClock.elapsed() - startedAt];
  return { perSecond: (tasks / tookMs) * 1_000, cpuMicros: (user + system) / tasks };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[numbers.length >> 1] ?? 0;
}
