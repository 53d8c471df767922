/**
 * Bulk enqueue and claim → run → settle on a SQLite file, beside the bare script: bare, own, bare, own, … in one run, each
 * in a fresh process on a fresh file. A ratio compares a measurement with the bare ones right before and after it.
 */

import { join } from 'node:path';
import process from 'node:process';
import { tableOf } from './beside-bare.ts';
import { inFolder, load, runScript } from './settings.ts';
import type { Rates } from './sqlite-own.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
/** As many as the bare script stores: with fewer the start of the process would count on one side more than on the other. */
const tasks = Number(process.env.BENCH_TASKS ?? 200_000);

/** What is compared: a level of TaskFlow, and the bare number it stands beside. */
const measured = {
  'bulk enqueue, client': ['client', 'enqueue'],
  'claim, run, settle, worker of 10': ['worker 10', 'settle'],
  'claim, run, settle, worker of 100': ['worker 100', 'settle'],
  'bulk enqueue, broker': ['broker enqueue', 'enqueue'],
  'claim and settle by 100, broker': ['broker settle', 'settle'],
} as const;

/** Prints rates, ratios and their spread. */
export async function run(): Promise<void> {
  console.log(
    `${rounds} rounds; ${tasks} tasks of 130 bytes of JSON, no key, a zod schema of three fields, a handler that returns { ok: true }; WAL, synchronous=FULL; history kept.`,
  );
  const bare: Bare[] = [await inFolder(runBare)];
  const own: Rates[] = [];
  const loads: string[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push(await inFolder(runOwn));
    bare.push(await inFolder(runBare));
    loads.push(load());
  }
  console.table(tableOf(measured, own, bare));
  console.log(`Tasks per second, medians. Load of the machine after each round: ${loads.join(', ')}.`);
}

type Bare = Readonly<Record<'enqueue' | 'settle', number>>;

/** The yardstick: no features, no fences, no history. */
async function runBare(folder: string): Promise<Bare> {
  const output = await runScript('bare/sqlite.mjs', join(folder, 'bare.db'));
  const read = (label: string): number => Number(new RegExp(`${label} (\\d+)`).exec(output)?.[1]);
  return { enqueue: read('insert/s batch500'), settle: read('claim\\+complete/s batch100') };
}

async function runOwn(folder: string): Promise<Rates> {
  const parts: Partial<Rates>[] = [];
  for (const part of ['broker', 'worker-10', 'worker-100']) {
    parts.push(JSON.parse(await runScript('sqlite-own.ts', join(folder, `${part}.db`), String(tasks), part)));
  }
  return Object.assign({}, ...parts) as Rates;
}
