/**
 * What a long backlog of plain tasks costs: the same tasks pass through a store in which 1,000 others wait, and one in which
 * a million do; on SQLite and, where there are servers, on Redis and Postgres. Both by turns in one run, since the machine's speed drifts.
 */

import { join } from 'node:path';
import process from 'node:process';
import { createLiveStore } from '../src/broker/cluster-store.ts';
import { connect } from '../src/broker/connect.ts';
import { createRedisBroker } from '../src/broker/redis/redis-broker.ts';
import { systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { startPostgres } from '../src/servers/postgres.ts';
import { missingServers } from '../src/servers/programs.ts';
import { startRedis } from '../src/servers/redis.ts';
import { benchClaim, benchTask, succeed, trimAll } from './samples.ts';
import { inFolder, load, quantile } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const tasks = Number(process.env.BENCH_TASKS ?? 20_000);
const backlog = Number(process.env.BENCH_BACKLOG ?? 1_000_000);
const batch = 100;

/** Prints the rates and how much of the speed is left. */
export async function run(): Promise<void> {
  console.log(
    `${rounds} rounds of ${tasks} tasks of 130 bytes, enqueued, claimed and settled by ${batch} behind those that wait.`,
  );
  await inFolder(async (folder) => {
    console.log('SQLite; WAL, synchronous=FULL:');
    await compare((name) => connect(`sqlite:${join(folder, `${name}.db`)}`));
  });
  if (missingServers(['redis']).length === 0) {
    const { path, stop } = await startRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
    console.log('Redis; appendonly yes, appendfsync everysec:');
    await compare((namespace) => createLiveStore(createRedisBroker({ address: { path }, namespace })));
    await stop();
  }
  if (missingServers(['postgres']).length === 0) {
    const server = await startPostgres();
    console.log('Postgres with its defaults:');
    await compare((name) => connect(`${server.url}?namespace=${name}`));
    await server.stop();
  }
  console.log(`Medians. Load of the machine: ${load()}.`);
}

async function compare(open: (name: 'short' | 'long') => Store): Promise<void> {
  const short = await fill(open('short'), 1_000);
  const long = await fill(open('long'), backlog);
  const rates: (readonly [short: number, long: number])[] = [];
  // The first turn warms both.
  for (let round = 0; round <= rounds; round += 1) {
    const pair = [await pass(short), await pass(long)] as const;
    if (round > 0) rates.push(pair);
  }
  const ratios = rates.map(([ofShort, ofLong]) => ofLong / ofShort);
  const median = (numbers: readonly number[]): number => Math.round(quantile(numbers, 0.5));
  console.table({
    '1,000': { 'tasks/s': median(rates.map(([ofShort]) => ofShort)) },
    [backlog.toLocaleString('en-US')]: {
      'tasks/s': median(rates.map(([, ofLong]) => ofLong)),
      ratio: Number(quantile(ratios, 0.5).toFixed(2)),
      lowest: Number(Math.min(...ratios).toFixed(2)),
      highest: Number(Math.max(...ratios).toFixed(2)),
    },
  });
  await short.close();
  await long.close();
}

async function fill(store: Store, waiting: number): Promise<Store> {
  await store.broker.open();
  for (let left = waiting; left > 0; left -= 1_000) {
    await store.broker.enqueue(Array.from({ length: Math.min(left, 1_000) }, () => benchTask()));
    await trimAll(store.broker);
  }
  return store;
}

/** As many come as go, so the backlog stays; an outbox is trimmed. Answers tasks a second. */
async function pass({ broker }: Store): Promise<number> {
  const startedAt = systemClock.elapsed();
  let claimed = await broker.claim(benchClaim(batch));
  for (let done = 0; done < tasks; done += batch) {
    await broker.enqueue(Array.from({ length: batch }, () => benchTask()));
    claimed = (await broker.settle(claimed.map(succeed), benchClaim(batch))).claimed;
  }
  await broker.settle(claimed.map(succeed));
  await trimAll(broker);
  return (tasks / (systemClock.elapsed() - startedAt)) * 1_000;
}
