/**
 * Idle pick-up: from the call of enqueue until the handler starts, one task at a time, in one process and across two, on SQLite and,
 * where there is a server, on Postgres.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { connect } from '../src/broker/connect.ts';
import { makeClient } from '../src/client/client.ts';
import { systemChance } from '../src/core/chance.ts';
import type { TaskDefinition } from '../src/core/definition.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { startPostgres } from '../src/servers/postgres.ts';
import { missingServers } from '../src/servers/programs.ts';
import { createWorker } from '../src/worker/worker.ts';
import { emptyDatabase } from './empty-database.ts';
import { inFolder, load, quantile } from './settings.ts';
import { monotonicMs, stampTask } from './stamp.ts';

const tasks = Number(process.env.BENCH_PICKUPS ?? 300);
/** Pause before each task, spread so that no poll or timer is met in step: long enough for everything to be idle again. */
const pauseMs = { least: 20, spread: 30 };

interface Latencies {
  /** Until enqueue has answered, and until the handler starts. */
  readonly stored: number[];
  readonly started: number[];
}

/** Prints p50 and p99, and what two bare commits cost in between. */
export async function run(): Promise<void> {
  console.log(
    `${tasks} single tasks, each ${pauseMs.least} to ${pauseMs.least + pauseMs.spread} ms after the last one has started.`,
  );
  await onSqlite();
  if (missingServers(['postgres']).length === 0) await onPostgres();
  console.log(`Milliseconds. Load of the machine: ${load()}.`);
}

async function onPostgres(): Promise<void> {
  const server = await startPostgres();
  const one = await inOneProcess(await emptyDatabase(server.url), () => {});
  const two = await acrossTwo(await emptyDatabase(server.url), () => {});
  await server.stop();
  console.log('Postgres with its defaults:');
  console.table({
    'enqueue alone': row(two.stored),
    'in one process': row(one.started),
    'across two processes': row(two.started),
  });
}

async function onSqlite(): Promise<void> {
  await inFolder(async (folder) => {
    const commit = createCommits(join(folder, 'bare.db'));
    const one = await inOneProcess(`sqlite:${join(folder, 'one.db')}`, commit.time);
    const two = await acrossTwo(`sqlite:${join(folder, 'two.db')}`, commit.time);
    console.log('SQLite; WAL, synchronous=FULL:');
    console.table({
      'two bare commits': row(commit.times),
      'enqueue alone': row(two.stored),
      'in one process': row(one.started),
      'across two processes': row(two.started),
    });
    commit.close();
  });
}

function row(times: readonly number[]) {
  const rounded = (share: number): number => Number(quantile(times, share).toFixed(2));
  return { p50: rounded(0.5), p90: rounded(0.9), p99: rounded(0.99) };
}

/** Two single inserts, one right after the other, into the table of the bare script, on a file of their own. */
function createCommits(file: string) {
  const database = new DatabaseSync(file);
  database.exec(
    'pragma journal_mode=wal; pragma synchronous=full; create table j(id integer primary key, q text, st int, pri int, run_at int, payload text); create index i on j(q,st,pri,run_at,id)',
  );
  const insert = database.prepare('insert into j(q,st,pri,run_at,payload) values(?,?,?,?,?)');
  const times: number[] = [];
  const time = (): void => {
    const startedAt = monotonicMs();
    insert.run('default', 0, 0, times.length, '{"n":1}');
    insert.run('default', 0, 0, times.length, '{"n":2}');
    times.push(monotonicMs() - startedAt);
  };
  return { times, time, close: () => database.close() };
}

async function inOneProcess(url: string, between: () => void): Promise<Latencies> {
  const store = await openStore(url);
  let whenStarted: (at: number) => void = () => {};
  const definition = stampTask((at) => whenStarted(at));
  const worker = createWorker({ store, definitions: [definition] });
  worker.start();
  const next = (): Promise<number> => new Promise((resolve) => (whenStarted = resolve));
  const latencies = await enqueueOneByOne(store, definition, next, between);
  await worker.stop();
  await store.close();
  return latencies;
}

async function acrossTwo(url: string, between: () => void): Promise<Latencies> {
  const store = await openStore(url);
  const child = fork(join(import.meta.dirname, 'pickup-worker.ts'), [url]);
  await once(child, 'message');
  const next = async (): Promise<number> => (await once(child, 'message'))[0] as number;
  const latencies = await enqueueOneByOne(
    store,
    stampTask(() => {}),
    next,
    between,
  );
  child.send('stop');
  await once(child, 'exit');
  await store.close();
  return latencies;
}

async function openStore(url: string): Promise<Store> {
  const store = connect(url);
  await store.broker.open();
  return store;
}

async function enqueueOneByOne(
  store: Store,
  definition: TaskDefinition,
  next: () => Promise<number>,
  between: () => void,
): Promise<Latencies> {
  const client = makeClient({ open: async () => store });
  const latencies: Latencies = { stored: [], started: [] };
  for (let n = 0; n < tasks; n++) {
    await sleep(systemClock, pauseMs.least + systemChance.float() * pauseMs.spread);
    between();
    const started = next();
    const sentAt = monotonicMs();
    await client.enqueue(definition, { n });
    latencies.stored.push(monotonicMs() - sentAt);
    latencies.started.push((await started) - sentAt);
  }
  return latencies;
}
