/**
 * What doing nothing costs: statements and commits of an idle worker, and of all a single process runs, with their CPU; on Postgres the
 * transactions that the server counts.
 */

import { join } from 'node:path';
import process from 'node:process';
import { Client } from 'pg';
import { connect } from '../src/broker/connect.ts';
import type { SqlDriver, SqlTransaction } from '../src/broker/sql/driver.ts';
import { migrate } from '../src/broker/sql/migrate.ts';
import { createSqlBroker } from '../src/broker/sql/sql-broker.ts';
import { createSqliteDriver, type SqliteDriver } from '../src/broker/sqlite/driver.ts';
import { systemChance } from '../src/core/chance.ts';
import { sleep, systemClock } from '../src/core/time.ts';
import { createEngine } from '../src/engine/engine.ts';
import type { Store } from '../src/history/history.ts';
import { createSqlHistory } from '../src/history/sql-history.ts';
import { startPostgres } from '../src/servers/postgres.ts';
import { missingServers } from '../src/servers/programs.ts';
import { createWorker } from '../src/worker/worker.ts';
import { emptyDatabase } from './empty-database.ts';
import { inFolder, load } from './settings.ts';
import { stampTask } from './stamp.ts';

const seconds = Number(process.env.BENCH_IDLE_SECONDS ?? 30);

/** Until connections are made and statements are prepared. */
const warmMs = 12_000;

/** Transactions, and statements; the BEGIN and the COMMIT of a transaction of several count as well. */
interface Counts {
  calls: number;
  statements: number;
}

/** Prints what happens in a second. */
export async function run(): Promise<void> {
  console.log(`${seconds} seconds each, over one SQLite file without tasks.`);
  console.table({
    'a worker': await measure(false),
    'a worker and the services of a server': await measure(true),
  });
  if (missingServers(['postgres']).length === 0) await onPostgres();
  console.log(`Per second; the share of a core in percent. Load of the machine: ${load()}.`);
}

async function onPostgres(): Promise<void> {
  const server = await startPostgres();
  console.log('Over Postgres, as it counts transactions:');
  console.table({
    'a worker': await measurePostgres(await emptyDatabase(server.url), false),
    'a worker and the services of a server': await measurePostgres(await emptyDatabase(server.url), true),
  });
  await server.stop();
}

async function measurePostgres(url: string, withServer: boolean) {
  const store = connect(url);
  await store.broker.open();
  const looker = new Client(url);
  await looker.connect();
  const count = async (): Promise<number> => {
    const text = 'SELECT xact_commit + xact_rollback AS n FROM pg_stat_database WHERE datname = current_database()';
    return Number((await looker.query(text)).rows[0]?.n);
  };
  const { stop } = begin(store, withServer);
  await sleep(systemClock, warmMs);
  const before = await count();
  await sleep(systemClock, seconds * 1_000);
  const transactions = Number((((await count()) - before - 1) / seconds).toFixed(2));
  await stop();
  await looker.end();
  await store.close();
  return { transactions };
}

/** A worker, and perhaps the services of a server beside it. */
function begin(store: Store, withServer: boolean): { stop(): Promise<void> } {
  const worker = createWorker({ store, definitions: [stampTask(() => {})], services: 'never' });
  const engine = createEngine({ store, presence: { workerId: 'server', name: 'server', version: '0' } });
  worker.start();
  if (withServer) engine.start();
  return {
    async stop() {
      await worker.stop();
      if (withServer) await engine.stop();
    },
  };
}

function measure(withServer: boolean) {
  return inFolder(async (folder) => {
    const file = join(folder, 'idle.db');
    const driver = createSqliteDriver({ file, now: systemClock.now, clock: systemClock, chance: systemChance });
    await driver.open();
    await migrate(driver, systemChance);
    const counts: Counts = { calls: 0, statements: 0 };
    const counted = countingDriver(driver, counts);
    const broker = createSqlBroker({
      driver: counted,
      chance: systemChance,
      kind: 'sqlite',
      open: async () => {},
      close: async () => {},
      durability: driver.durability,
    });
    await broker.open();
    const store = { broker, history: createSqlHistory(counted, systemClock), close: broker.close };
    const { stop } = begin(store, withServer);
    await sleep(systemClock, 2_000);
    Object.assign(counts, { calls: 0, statements: 0 });
    const cpu = process.cpuUsage();
    await sleep(systemClock, seconds * 1_000);
    const { user, system } = process.cpuUsage(cpu);
    const perSecond = (count: number): number => Number((count / seconds).toFixed(2));
    const row = {
      calls: perSecond(counts.calls),
      statements: perSecond(counts.statements),
      'CPU %': perSecond((user + system) / 10_000),
    };
    await stop();
    await broker.close();
    await driver.close();
    return row;
  });
}

function countingDriver(driver: SqliteDriver, counts: Counts): SqlDriver {
  const counted = <Answer>(work: (tx: SqlTransaction) => Promise<Answer>) => {
    counts.calls += 1;
    counts.statements += 2;
    return (tx: SqlTransaction): Promise<Answer> => work(countingTransaction(tx, counts));
  };
  return {
    ...driver,
    transaction: (work) => driver.transaction(counted(work)),
    read: (work) => driver.read(counted(work)),
    readOne: (statement, ...values) => {
      countOne(counts);
      return driver.readOne(statement, ...values);
    },
    writeOne: (statement, ...values) => {
      countOne(counts);
      return driver.writeOne(statement, ...values);
    },
  };
}

/** A statement by itself has no BEGIN and no COMMIT. */
function countOne(counts: Counts): void {
  counts.calls += 1;
  counts.statements += 1;
}

function countingTransaction(tx: SqlTransaction, counts: Counts): SqlTransaction {
  const counting =
    <Parameters extends unknown[], Answer>(call: (...parameters: Parameters) => Answer) =>
    (...parameters: Parameters): Answer => {
      counts.statements += 1;
      return call(...parameters);
    };
  const { query, change, each, many, send, sendEach, execute } = tx;
  return {
    ...tx,
    query: counting(query) as SqlTransaction['query'],
    change: counting(change),
    each: counting(each),
    send: counting(send),
    sendEach: counting(sendEach),
    many: counting(many),
    execute: counting(execute) as SqlTransaction['execute'],
  };
}
