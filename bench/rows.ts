/**
 * Pages, lists and searches among many finished tasks: a file is built (1,000,000 by default, `BENCH_ROWS`), served, and each of them asked
 * many times. What is measured is the time of the server, without a network. `BENCH_STORE=postgres` does the same on Postgres;
 * `BENCH_FILE` keeps the file, or takes the one that is there; `BENCH_URL` names an empty database of yours that is filled and kept, or
 * one that was.
 */

import { existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { connect } from '../src/broker/connect.ts';
import { createPostgresDriver } from '../src/broker/postgres/driver.ts';
import { readPostgresUrl } from '../src/broker/postgres/url.ts';
import type { SqlDriver } from '../src/broker/sql/driver.ts';
import { rollUpOld } from '../src/broker/sql/rollups.ts';
import { createSqliteDriver } from '../src/broker/sqlite/driver.ts';
import { systemChance } from '../src/core/chance.ts';
import { systemClock } from '../src/core/time.ts';
import type { Pages } from '../src/dashboard/pages.tsx';
import { startPostgres } from '../src/servers/postgres.ts';
import { installLine, missingServers } from '../src/servers/programs.ts';
import { emptyDatabase } from './empty-database.ts';
import { buildPostgres, explainPostgres } from './rows/build-postgres.ts';
import { buildSqlite, dueSqlite } from './rows/build-sqlite.ts';
import { casesOf } from './rows/cases.ts';
import { type Asked, type Measured, measure } from './rows/measure.ts';
import { measurePrune } from './rows/prune.ts';
import { inFolder, load } from './settings.ts';

const rows = Number(process.env.BENCH_ROWS ?? 1_000_000);
const times = Number(process.env.BENCH_TIMES ?? 20);
/** Of a row with its indexes, and as much again while these are made. */
const bytesOfRow = 1_500;
const pruneSteps = 20;

/** Prints a table with a row for each, the slowest statements with their plans, and how long a step of prune takes. */
export async function run(): Promise<void> {
  if (process.env.BENCH_STORE === 'postgres') return await onPostgres();
  const kept = process.env.BENCH_FILE;
  if (kept !== undefined) return await onSqlite(kept);
  await inFolder((folder) => onSqlite(join(folder, 'rows.db')));
}

async function onSqlite(file: string): Promise<void> {
  if (!existsSync(file)) {
    const { bavail, bsize } = await statfs(join(file, '..'));
    if (bavail * bsize < rows * bytesOfRow)
      return console.log(
        `There are ${Math.round((bavail * bsize) / 1e9)} GB left for ${Math.round((rows * bytesOfRow) / 1e9)}.`,
      );
    const from = performance.now();
    await buildSqlite(file, rows, Date.now());
    console.log(`built in ${Math.round((performance.now() - from) / 1_000)} s`);
  }
  const look = new DatabaseSync(file, { readOnly: true });
  // The event the build has left: whoever uses the file adds others.
  const [endAt = Date.now()] = Object.values(
    look.prepare('SELECT at FROM events ORDER BY seq LIMIT 1').get() ?? {},
  ) as number[];
  console.log(`SQLite, ${rows} tasks, ${(statSync(file).size / 1e9).toFixed(1)} GB`);
  const asked: Asked[] = [];
  const store = connect(`sqlite:${file}`, { onStatement: (text, values) => void asked.push({ text, values }) });
  await store.broker.open();
  await rollUpAll(createSqliteDriver({ file, now: systemClock.now, clock: systemClock, chance: systemChance }));
  const measured = await measure({ store, pages: await pagesOf(), asked }, casesOf(rows, endAt), times);
  print(measured, (text, values) =>
    look
      .prepare(`EXPLAIN QUERY PLAN ${text.replace(/\$(\d+)/g, '?$1')}`)
      .all(...(values as never[]))
      .map(({ detail }) => String(detail)),
  );
  look.close();
  dueSqlite(file, pruneSteps * 1_000, endAt);
  console.log('prune by 1,000:', await measurePrune(store, pruneSteps, 1_000));
  await store.close();
}

async function onPostgres(): Promise<void> {
  const kept = process.env.BENCH_URL;
  if (kept !== undefined) return await inDatabase(kept);
  const missing = missingServers(['postgres']);
  if (missing.length > 0) return console.log(`There is no Postgres here: ${installLine(missing)}`);
  const server = await startPostgres();
  try {
    await inDatabase(await emptyDatabase(server.url));
  } finally {
    await server.stop();
  }
}

async function inDatabase(url: string): Promise<void> {
  const from = performance.now();
  const endAt = await buildPostgres(url, rows, Date.now());
  console.log(`Postgres, ${rows} tasks, built or found in ${Math.round((performance.now() - from) / 1_000)} s`);
  const asked: Asked[] = [];
  const store = connect(url, { onStatement: (text, values) => void asked.push({ text, values }) });
  await store.broker.open();
  const place = { address: readPostgresUrl(url), namespace: 'taskflow' };
  await rollUpAll(createPostgresDriver({ ...place, clock: systemClock, chance: systemChance }));
  const measured = await measure({ store, pages: await pagesOf(), asked }, casesOf(rows, endAt), times);
  await store.close();
  print(measured, () => []);
  const explain = await explainPostgres(url);
  for (const { slowest } of worstOf(measured)) for (const one of slowest) console.log(await explain.plan(one));
  await explain.close();
}

/** As the pruner of a server does it after an upgrade. */
async function rollUpAll(driver: SqlDriver & { open(): Promise<void>; close(): unknown }): Promise<void> {
  await driver.open();
  const took: number[] = [];
  for (let more = true; more; ) {
    const from = performance.now();
    more = await rollUpOld(driver, 1);
    took.push(performance.now() - from);
  }
  await driver.close();
  const sum = took.reduce((all, ms) => all + ms, 0);
  const longest = Math.max(...took).toFixed(1);
  console.log(`${took.length} hours rolled up in ${(sum / 1_000).toFixed(1)} s, the longest ${longest} ms`);
}

/** Node runs no JSX: the pages are taken from the build, as a server takes them. */
async function pagesOf(): Promise<Pages> {
  const built = new URL('../dist/dashboard/pages.js', import.meta.url).href;
  const { createPages } = (await import(built)) as typeof import('../src/dashboard/pages.tsx');
  return createPages({ version: '0.0.0' });
}

const worstOf = (measured: readonly Measured[]): readonly Measured[] =>
  [...measured].sort((left, right) => right.p95 - left.p95).slice(0, 2);

function print(
  measured: readonly Measured[],
  plan: (text: string, values: readonly unknown[]) => readonly string[],
): void {
  const shown = (ms: number): number => Number(ms.toFixed(1));
  console.table(
    Object.fromEntries(
      measured.map(({ name, p50, p95, p99, cpu, statements, found }) => [
        name,
        { p50: shown(p50), p95: shown(p95), p99: shown(p99), 'cpu p95': shown(cpu), statements, found },
      ]),
    ),
  );
  console.log(`Milliseconds of the server, ${times} times each. Load of the machine: ${load()}.`);
  for (const { name, slowest } of worstOf(measured))
    for (const { text, values } of slowest) {
      const steps = plan(text, values);
      if (steps.length > 0)
        console.log(`\n${name}: ${text.slice(0, 200).replace(/\s+/g, ' ')}\n  ${steps.join('\n  ')}`);
    }
}
