/** One measurement with keys, groups and limits on one SQLite file, in a process of its own. Usage: node bench/limits-own.ts FILE TASKS KIND */

import process from 'node:process';
import { createSqliteStore } from '../src/broker/connect.ts';
import type { NewTask } from '../src/core/task.ts';
import { systemClock } from '../src/core/time.ts';
import { benchClaim, benchTask, succeed } from './samples.ts';

/** What the tasks carry. `at` counts them. */
const kinds: Readonly<Record<string, (at: number) => Partial<NewTask>>> = {
  plain: () => ({}),
  group: (at) => ({ group: `g${at % 100}` }),
  limit: () => ({ limits: [{ name: 'all', max: 1_000, rate: null }] }),
  'key, group and limit': (at) => ({
    key: `k${at}`,
    group: `g${at % 100}`,
    limits: [{ name: 'all', max: 1_000, rate: null }],
  }),
  '10,000 groups': (at) => ({ group: `g${at % 10_000}` }),
  '10,000 groups with limits': (at) => ({
    group: `g${at % 10_000}`,
    limits: [{ name: `g${at % 10_000}`, max: 5, rate: null }],
  }),
};

const enqueueBatch = 500;
const claimBatch = 100;

const [file = '', count = '', kind = '', measured = count] = process.argv.slice(2);
const given = kinds[kind] ?? (() => ({}));
const { broker, ...store } = createSqliteStore({ file });
await broker.open();
let at = 0;
let settled = 0;
let tookMs = 0;
let cpuUs = 0;
// A backlog that is shorter than what is measured is filled again and again.
while (settled < Number(measured)) {
  for (const end = at + Number(count); at < end; ) {
    const batch = Math.min(enqueueBatch, end - at);
    await broker.enqueue(Array.from({ length: batch }, () => benchTask(given(at++))));
  }
  await drain(Number(measured) - settled);
}
await store.close();
console.log(JSON.stringify({ perSecond: (settled / tookMs) * 1_000, cpuUs: cpuUs / settled }));

/** Claims and settles so many, or all there are. */
async function drain(most: number): Promise<void> {
  const startedAt = systemClock.elapsed();
  const before = process.cpuUsage();
  let claimed = await broker.claim(benchClaim(claimBatch));
  for (let left = most; claimed.length > 0 && left > 0; ) {
    left -= claimed.length;
    settled += claimed.length;
    claimed = (await broker.settle(claimed.map(succeed), benchClaim(claimBatch))).claimed;
  }
  tookMs += systemClock.elapsed() - startedAt;
  const { user, system } = process.cpuUsage(before);
  cpuUs += user + system;
}
