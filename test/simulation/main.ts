/** Runs seeds from the command line: `npm run sim -- --seed 7 --trace`, `-- --seeds 1000 --store postgres`, `-- --mutations`. */

import { parseArgs } from 'node:util';
import { startPostgres, withoutSync } from '../../src/servers/postgres.ts';
import { startRedis } from '../../src/servers/redis.ts';
import { catchMutation } from './catch.ts';
import { mutations } from './mutations.ts';
import { postgresWorlds } from './postgres-store.ts';
import { redisWorlds } from './redis-store.ts';
import type { OutsideStore, StoreKind } from './sim-store.ts';
import { complaintsOf, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    store: { type: 'string', default: 'memory' },
    trace: { type: 'boolean', default: false },
    mutation: { type: 'string' },
    mutations: { type: 'boolean', default: false },
  },
});

if (values.mutations) await runMutations();
else await withStore((store) => runSeeds(store, Number(values.seed), Number(values.seeds)));

type Store = StoreKind | OutsideStore;

async function withStore(run: (store: Store) => Promise<void>): Promise<void> {
  if (values.store === 'memory' || values.store === 'sqlite') return run(values.store);
  if (values.store === 'redis') return onRedis(run);
  if (values.store === 'postgres') return onPostgres(run);
  throw new Error(`There is no store ${values.store}: memory, sqlite, postgres, redis`);
}

async function onRedis(run: (store: Store) => Promise<void>): Promise<void> {
  const server = await startRedis();
  try {
    await run(redisWorlds({ path: server.path }));
  } finally {
    await server.stop();
  }
}

async function onPostgres(run: (store: Store) => Promise<void>): Promise<void> {
  const server = await startPostgres(withoutSync);
  const worlds = postgresWorlds(server.url);
  try {
    await run(worlds);
  } finally {
    await worlds.close();
    await server.stop();
  }
}

async function runSeeds(store: Store, first: number, count: number): Promise<void> {
  const mutation = mutations.find(({ name }) => name === values.mutation);
  if (mutation === undefined && values.mutation !== undefined)
    throw new Error(`There is no mutation ${values.mutation}: ${mutations.map(({ name }) => name).join(', ')}`);
  const startedAt = performance.now();
  const totals: Record<string, number> = {};
  let failed = 0;
  for (let seed = first; seed < first + count; seed++) {
    const verdict = await simulate({ seed, store, mutation, trace: values.trace });
    for (const line of verdict.lines) console.log(line);
    for (const line of complaintsOf(verdict)) console.log(line);
    if (complaintsOf(verdict).length > 0) failed += 1;
    for (const [name, times] of Object.entries(verdict.counts)) totals[name] = (totals[name] ?? 0) + times;
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(JSON.stringify(totals));
  const steps = Math.round((totals.steps ?? 0) / count);
  console.log(
    `${count} seeds of ${steps} steps on ${values.store}, ${failed} failed, ${(count / seconds).toFixed(1)} a second`,
  );
  if (failed > 0) process.exitCode = 1;
}

async function runMutations(): Promise<void> {
  for (const mutation of mutations) {
    const caught = await catchMutation(mutation);
    const how = caught === null ? 'NOT CAUGHT' : `after ${caught.seeds} seeds by ${caught.rules.join(', ')}`;
    console.log(`${mutation.name.padEnd(32)} ${how}`);
    if (caught === null) process.exitCode = 1;
  }
}
