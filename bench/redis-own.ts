/** One measurement of the Redis adapter, in a process of its own. Usage: node bench/redis-own.ts SOCKET TASKS */

import process from 'node:process';
import { Redis } from 'ioredis';
import { createRedisBroker } from '../src/broker/redis/redis-broker.ts';
import { systemClock } from '../src/core/time.ts';
import { benchClaim, benchTask, succeed, trimAll } from './samples.ts';

/** Tasks a second, and where the CPU time of one task goes: in the server and in this process, µs. */
export interface Rates {
  readonly enqueue: number;
  readonly settle: number;
  readonly serverEnqueueUs: number;
  readonly serverSettleUs: number;
  readonly processEnqueueUs: number;
  readonly processSettleUs: number;
  /** Memory of the server for one waiting task, its events trimmed. */
  readonly bytes: number;
}

/** The batches of the bare script, and its calls in flight. */
const enqueueBatch = 500;
const claimBatch = 100;
const lanes = 4;

const [path = '', count = ''] = process.argv.slice(2);
const tasks = Number(count);
const server = new Redis({ path });
await server.flushall();
const before = await usedMemory();
const broker = createRedisBroker({ address: { path }, namespace: 'bench' });
await broker.open();

const batches = Array.from({ length: tasks / enqueueBatch }, () =>
  Array.from({ length: enqueueBatch }, () => benchTask()),
).values();
const enqueue = await measure(async () => {
  for (const batch of batches) await broker.enqueue(batch);
});
await trimAll(broker);
const bytes = ((await usedMemory()) - before) / tasks;
const settle = await measure(async () => {
  let claimed = await broker.claim(benchClaim(claimBatch));
  while (claimed.length > 0) claimed = (await broker.settle(claimed.map(succeed), benchClaim(claimBatch))).claimed;
});
const [queue] = await broker.getQueues();
if (queue?.counts.succeeded !== tasks) throw new Error(`${queue?.counts.succeeded} of ${tasks} tasks have succeeded`);
await broker.close();
server.disconnect();

const rates: Rates = {
  enqueue: enqueue.perSecond,
  settle: settle.perSecond,
  serverEnqueueUs: enqueue.serverUs,
  serverSettleUs: settle.serverUs,
  processEnqueueUs: enqueue.processUs,
  processSettleUs: settle.processUs,
  bytes,
};
console.log(JSON.stringify(rates));

/** Runs the same work in all lanes. */
async function measure(lane: () => Promise<void>) {
  const serverBefore = await serverUs();
  const cpu = process.cpuUsage();
  const startedAt = systemClock.elapsed();
  await Promise.all(Array.from({ length: lanes }, lane));
  const tookMs = systemClock.elapsed() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (tasks / tookMs) * 1_000,
    processUs: (user + system) / tasks,
    serverUs: ((await serverUs()) - serverBefore) / tasks,
  };
}

/** CPU time of the thread that runs scripts: other work on the machine does not count into it. */
async function serverUs(): Promise<number> {
  const text = await server.info('cpu');
  const read = (kind: string): number => Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(text)?.[1]);
  return (read('user') + read('sys')) * 1e6;
}

async function usedMemory(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await server.info('memory'))?.[1]);
}
