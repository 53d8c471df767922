/**
 * A cluster under a steady stream for a minute: one process enqueues, a worker of 100 slots runs, a server records, to the last row
 * of the record. How far the record is behind is looked at each second: it has to stay flat.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { connect } from '../src/broker/connect.ts';
import { limits } from '../src/core/limits.ts';
import { systemClock } from '../src/core/time.ts';
import type { Store } from '../src/history/history.ts';
import { startPostgres } from '../src/servers/postgres.ts';
import { findRedis, installLine, missingServers } from '../src/servers/programs.ts';
import { startRedis } from '../src/servers/redis.ts';
import { emptyDatabase } from './empty-database.ts';
import { benchTask } from './samples.ts';
import { inFolder, load, quantile } from './settings.ts';

const seconds = Number(process.env.BENCH_SECONDS ?? 60);
/** Tasks a second that are wanted; as many as go when it is more than that. */
const wantedRate = Number(process.env.BENCH_RATE ?? 40_000);
/**
 * Nothing more is enqueued while so many are not recorded, somewhat more than the recorder lets come together at the beginning: what cannot
 * be kept up with shows in the rate, not in a backlog.
 */
const aheadMax = wantedRate * 1.25 * (limits.recordBehindMs / 1_000);
const batch = 500;
const lanes = 4;

/** Prints rates and lags. */
export async function run(): Promise<void> {
  if (findRedis() === null) return console.log(`There is no redis-server here: ${installLine(['redis'])}`);
  console.log(
    `${wantedRate} tasks a second wanted for ${seconds} s; 130 bytes of JSON; appendonly yes, appendfsync everysec.`,
  );
  await inFolder((folder) => sustain('SQLite', `sqlite:${join(folder, 'record.db')}`));
  const missing = missingServers(['postgres']);
  if (missing.length > 0) return console.log(`There is no Postgres here: ${installLine(missing)}`);
  const server = await startPostgres();
  await sustain('Postgres', await emptyDatabase(server.url));
  await server.stop();
}

async function sustain(name: string, record: string): Promise<void> {
  const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'everysec']);
  const store = connect(server.url, { store: record, namespace: 'bench' });
  await store.broker.open();
  const others = await Promise.all(['server', 'worker'].map((role) => startOther(role, server.url, record)));
  const told = await stream(store);
  await Promise.all(others.map(stopOther));
  await store.close();
  await server.stop();
  report(name, told);
}

interface Told {
  readonly tasks: number;
  readonly enqueueMs: number;
  readonly allMs: number;
  /** Of each second: ms that the record was behind, and tasks that it had. */
  readonly lags: readonly number[];
  readonly recorded: readonly number[];
}

async function stream(store: Store): Promise<Told> {
  const startedAt = systemClock.elapsed();
  const passedMs = (): number => systemClock.elapsed() - startedAt;
  const [lags, recorded]: [number[], number[]] = [[], []];
  let [enqueued, done, isOver] = [0, 0, false];
  const look = async (): Promise<void> => {
    for (let next = 1_000; !isOver; next += 1_000) {
      while (passedMs() < next && !isOver) {
        await pause(100);
        done = (await store.history.facets()).views.succeeded ?? 0;
      }
      recorded.push(done);
      lags.push(await store.history.lagMs());
    }
  };
  const lane = async (): Promise<void> => {
    while (passedMs() < seconds * 1_000) {
      if (enqueued - done > aheadMax || enqueued > (passedMs() * wantedRate) / 1_000) await pause(1);
      else {
        enqueued += batch;
        await store.broker.enqueue(Array.from({ length: batch }, () => benchTask()));
      }
    }
  };
  const looking = look();
  await Promise.all(Array.from({ length: lanes }, lane));
  const enqueueMs = passedMs();
  while (done < enqueued) await pause(20);
  const allMs = passedMs();
  isOver = true;
  await looking;
  return { tasks: enqueued, enqueueMs, allMs, lags, recorded };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(ms, resolve));
}

function report(name: string, { tasks, enqueueMs, allMs, lags, recorded }: Told): void {
  const rateOf = (ms: number): number => Math.round((tasks / ms) * 1_000);
  const size = Math.ceil(lags.length / 10);
  const parts = Array.from({ length: Math.floor(lags.length / size) }, (_each, part) => {
    const [from, to] = [part * size, (part + 1) * size];
    const at = lags.slice(from, to);
    const stored = (recorded[to - 1] ?? 0) - (recorded[from - 1] ?? 0);
    return { 'tasks/s': Math.round(stored / size), 'lag ms, p50': quantile(at, 0.5), max: Math.max(...at) };
  });
  console.log(name);
  console.table(parts);
  console.log(
    `${tasks} tasks: enqueued at ${rateOf(enqueueMs)} a second, to the last row recorded ${rateOf(allMs)}. Load of the machine: ${load()}.`,
  );
}

/** A server or a worker, once it says that it is ready. */
function startOther(role: string, redis: string, record: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'sustained-other.ts'), [role, redis, record]);
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`The ${role} ended with code ${code}`)));
  });
}

function stopOther(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.send('stop');
  });
}
