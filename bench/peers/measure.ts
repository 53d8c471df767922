/** One measurement of one system, in a process of its own. Usage: node bench/peers/measure.ts SYSTEM URL TASKS */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { Redis } from 'ioredis';
import { systemChance } from '../../src/core/chance.ts';
import { sleep, systemClock } from '../../src/core/time.ts';
import { quantile } from '../settings.ts';
import { monotonicMs } from '../stamp.ts';
import { loadSystem } from './load.ts';
import type { Input } from './system.ts';

/** Tasks a second; bytes of Redis for a waiting task; milliseconds from the call of enqueue to the handler of an idle worker. */
export interface Figures {
  readonly bulk: number;
  readonly single: number;
  readonly run: number;
  readonly bytes: number | null;
  readonly pickupP50: number | null;
  readonly pickupP99: number | null;
  /** Where the time went, µs of CPU a task: in the process, in the thread of Redis that runs commands, and in what records elsewhere. */
  readonly bulkCpu: Cpu;
  readonly singleCpu: Cpu;
  readonly runCpu: Cpu;
}

export interface Cpu {
  readonly process: number;
  readonly server: number | null;
  readonly recorder: number | null;
}

interface Measured {
  readonly perSecond: number;
  readonly cpu: Cpu;
}

/** Callers that enqueue one task at a time. */
const callers = 100;
const pickups = 200;
const pickupForMs = 20_000;
const pauseMs = { least: 20, spread: 30 };

const [name = '', url = '', count = ''] = process.argv.slice(2);
const tasks = Number(count);
const input: Input = { to: 'a@b.c', n: 1, s: 'x'.repeat(100) };
const system = await loadSystem(name);
await system.open(url);
await system.serve?.(url);
const bytesBefore = await usedMemory();
const bulk = await measure(tasks, enqueueAll);
await system.trim?.();
const bytes = bytesBefore === null ? null : (((await usedMemory()) ?? 0) - bytesBefore) / tasks;
const run = await runAll(tasks);
const singles = Math.round(tasks / 4);
const single = await measure(singles, enqueueSingly);
await runAll(singles);
const latencies = system.isTold ? await pickUp() : null;
await system.close();
const figures: Figures = {
  bulk: bulk.perSecond,
  single: single.perSecond,
  run: run.perSecond,
  bytes,
  pickupP50: latencies === null ? null : quantile(latencies, 0.5),
  pickupP99: latencies === null ? null : quantile(latencies, 0.99),
  bulkCpu: bulk.cpu,
  singleCpu: single.cpu,
  runCpu: run.cpu,
};
console.log(JSON.stringify(figures));
process.exit(0);

async function measure(number: number, work: (number: number) => Promise<void>): Promise<Measured> {
  const recorderBefore = await recorderUs();
  const serverBefore = await serverCpuUs();
  const before = process.cpuUsage();
  const startedAt = systemClock.elapsed();
  await work(number);
  const perSecond = (number / (systemClock.elapsed() - startedAt)) * 1_000;
  const used = process.cpuUsage(before);
  const server = serverBefore === null ? null : (((await serverCpuUs()) ?? 0) - serverBefore) / number;
  const recorder = recorderBefore === null ? null : (((await recorderUs()) ?? 0) - recorderBefore) / number;
  return { perSecond, cpu: { process: (used.user + used.system) / number, server, recorder } };
}

/** Once all is recorded. */
async function recorderUs(): Promise<number | null> {
  if (system.recorderUs === undefined) return null;
  await system.trim?.();
  return system.recorderUs();
}

async function serverCpuUs(): Promise<number | null> {
  if (!url.startsWith('redis:')) return null;
  const client = new Redis(url);
  const text = await client.info('cpu');
  client.disconnect();
  const read = (kind: string): number => Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(text)?.[1]);
  return (read('user') + read('sys')) * 1e6;
}

async function enqueueAll(number: number): Promise<void> {
  const { batch, lanes } = system.bulk;
  const inputs = Array.from({ length: batch }, () => input);
  let left = number;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(batch, left);
      left -= size;
      await system.enqueueMany(size === batch ? inputs : inputs.slice(0, size));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

async function enqueueSingly(number: number): Promise<void> {
  let left = number;
  const caller = async (): Promise<void> => {
    while (left-- > 0) await system.enqueue(input);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Until the last one is settled; how long a worker takes to stop is another matter. */
async function runAll(number: number): Promise<Measured> {
  let stop: () => Promise<unknown> = () => Promise.resolve();
  const measured = await measure(number, async () => {
    const worker = await system.work(() => {});
    stop = () => worker.stop();
    await worker.settled(number);
  });
  await stop();
  return measured;
}

/** The worker in another process, as it is where people run them. */
async function pickUp(): Promise<readonly number[]> {
  const child = fork(join(import.meta.dirname, 'pickup-worker.ts'), [name, url]);
  await once(child, 'message');
  const latencies: number[] = [];
  // A second each would be the poll of a system that was not told: that is known after a few.
  const until = systemClock.elapsed() + pickupForMs;
  for (let n = 0; n < pickups && systemClock.elapsed() < until; n++) {
    await sleep(systemClock, pauseMs.least + systemChance.float() * pauseMs.spread);
    const started = once(child, 'message');
    const sentAt = monotonicMs();
    await system.enqueue(input);
    latencies.push(((await started)[0] as number) - sentAt);
  }
  child.kill('SIGKILL');
  return latencies;
}

async function usedMemory(): Promise<number | null> {
  if (!url.startsWith('redis:')) return null;
  const client = new Redis(url);
  const text = await client.info('memory');
  client.disconnect();
  return Number(/used_memory:(\d+)/.exec(text)?.[1]);
}
