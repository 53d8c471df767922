/**
 * Bulk enqueue and claim → settle on Redis, beside the bare script: bare, own, bare, own, … in one run on one server, append-only
 * file with `everysec` for both. A ratio compares a measurement with the bare ones right before and after it.
 */

import process from 'node:process';
import { findRedis, installLine } from '../src/servers/programs.ts';
import { type RedisServer, startRedis } from '../src/servers/redis.ts';
import { tableOf } from './beside-bare.ts';
import type { Rates } from './redis-own.ts';
import { load, quantile, runScript } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const tasks = Number(process.env.BENCH_TASKS ?? 100_000);

/** What is compared: the same figure of both. */
const measured = {
  'bulk enqueue, broker, by 500': ['enqueue', 'enqueue'],
  'claim and settle, broker, by 100': ['settle', 'settle'],
  'bytes of a waiting task': ['bytes', 'bytes'],
} as const;

type Bare = Readonly<Record<'enqueue' | 'settle' | 'bytes', number>>;

/** Prints rates and ratios, bytes, and where the time goes. */
export async function run(): Promise<void> {
  if (findRedis() === null) {
    console.log(`There is no redis-server here: ${installLine(['redis'])}`);
    return;
  }
  console.log(`${rounds} rounds; ${tasks} tasks of 130 bytes of JSON, no key; appendonly yes, appendfsync everysec.`);
  const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
  const port = String(server.port);
  const bare: Bare[] = [await runBare(port)];
  const own: Rates[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(await runOwn(server));
    bare.push(await runBare(port));
  }
  await server.stop();
  console.table(tableOf(measured, own, bare));
  const median = (field: keyof Rates): number =>
    Number(
      quantile(
        own.map((rates) => rates[field]),
        0.5,
      ).toFixed(1),
    );
  console.table({
    'bulk enqueue': { server: median('serverEnqueueUs'), process: median('processEnqueueUs') },
    'claim and settle': { server: median('serverSettleUs'), process: median('processSettleUs') },
  });
  console.log(`Tasks per second, then µs of CPU a task; medians. Load of the machine: ${load()}.`);
}

/** The yardstick: no features, no fences. */
async function runBare(port: string): Promise<Bare> {
  process.env.REDIS_PORT = port;
  const output = await runScript('bare/redis.mjs');
  const read = (label: string): number => Number(new RegExp(`${label} (\\d+)`).exec(output)?.[1]);
  return { enqueue: read('enq/s'), settle: read('proc/s'), bytes: read('mem/task bytes') };
}

async function runOwn(server: RedisServer): Promise<Rates> {
  return JSON.parse(await runScript('redis-own.ts', server.path, String(tasks))) as Rates;
}
