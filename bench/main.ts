/** Runs the benchmarks: all of them, or those that are named. Usage: npm run bench [-- name …] */

import process from 'node:process';
import { listSettings } from './settings.ts';

const benches: Readonly<Record<string, () => Promise<{ readonly run: () => Promise<void> }>>> = {
  sqlite: () => import('./sqlite.ts'),
  postgres: () => import('./postgres.ts'),
  redis: () => import('./redis.ts'),
  record: () => import('./record.ts'),
  sustained: () => import('./sustained.ts'),
  peers: () => import('./peers.ts'),
  limits: () => import('./limits.ts'),
  fairness: () => import('./fairness.ts'),
  backlog: () => import('./backlog.ts'),
  pickup: () => import('./pickup.ts'),
  http: () => import('./http.ts'),
  idle: () => import('./idle.ts'),
  isolate: () => import('./isolate.ts'),
  guard: () => import('./guard.ts'),
  live: () => import('./live.ts'),
  waits: () => import('./waits.ts'),
  'http-worker': () => import('./http-worker.ts'),
  rows: () => import('./rows.ts'),
  'worker-loop': () => import('./worker-loop.ts'),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => benches[name] === undefined);
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.`);
  process.exitCode = 2;
} else {
  console.log(listSettings());
  for (const [name, load] of Object.entries(benches)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`\n${name}`);
    await (await load()).run();
  }
}
