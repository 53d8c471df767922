/**
 * Bulk enqueue and claim → run → settle on Postgres with its defaults, beside the bare script: bare, own, bare, own, … in one run on
 * one server, each in a fresh process on a fresh database. A ratio compares a measurement with the bare ones right before and after it.
 */

import process from 'node:process';
import { type PostgresServer, startPostgres } from '../src/servers/postgres.ts';
import { installLine, missingServers } from '../src/servers/programs.ts';
import { tableOf } from './beside-bare.ts';
import { emptyDatabase } from './empty-database.ts';
import type { Rates } from './postgres-own.ts';
import { load, runScript } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const tasks = Number(process.env.BENCH_TASKS ?? 100_000);

/** What is compared: a level of TaskFlow, and the bare number it stands beside. */
const measured = {
  'bulk enqueue by 1,000, client': ['client', 'enqueue'],
  'claim, run, settle, worker of 100': ['worker', 'settle'],
  'bulk enqueue by 1,000, broker, 3 lanes': ['brokerEnqueue', 'enqueue'],
  'claim and settle by 500, broker, 3 lanes': ['brokerSettle', 'settle'],
} as const;

type Bare = Readonly<Record<'enqueue' | 'settle', number>>;

/** Prints rates, ratios and their spread. */
export async function run(): Promise<void> {
  const missing = missingServers(['postgres']);
  if (missing.length > 0) return console.log(`There is no Postgres here: ${installLine(missing)}`);
  console.log(
    `${rounds} rounds; ${tasks} tasks of 130 bytes of JSON, no key; Postgres with its defaults; history kept.`,
  );
  const server = await startPostgres();
  const bare: Bare[] = [await runBare(server)];
  const own: Rates[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push({ ...(await runOwn(server, 'broker')), ...(await runOwn(server, 'worker')) } as Rates);
    bare.push(await runBare(server));
  }
  await server.stop();
  console.table(tableOf(measured, own, bare));
  console.log(`Tasks per second, medians. Load of the machine: ${load()}.`);
}

async function runBare(server: PostgresServer): Promise<Bare> {
  process.env.DATABASE_URL = await emptyDatabase(server.url);
  const output = await runScript('bare/postgres.mjs');
  delete process.env.DATABASE_URL;
  const read = (label: string): number => Number(new RegExp(`${label} (\\d+)`).exec(output)?.[1]);
  return { enqueue: read('pg enq/s'), settle: read('in place\\)') };
}

async function runOwn(server: PostgresServer, part: string): Promise<Partial<Rates>> {
  return JSON.parse(await runScript('postgres-own.ts', await emptyDatabase(server.url), String(tasks), part));
}
