/**
 * What a record takes in, on SQLite and on Postgres with its defaults, beside the rows alone stored by INSERTs of many: bare, own,
 * bare, own, … in one run, each in a fresh process on a fresh database. A ratio compares with the bare ones right before and after.
 */

import { join } from 'node:path';
import process from 'node:process';
import { startPostgres } from '../src/servers/postgres.ts';
import { installLine, missingServers } from '../src/servers/programs.ts';
import { tableOf } from './beside-bare.ts';
import { emptyDatabase } from './empty-database.ts';
import { inFolder, load, quantile, runScript } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const tasks = Number(process.env.BENCH_TASKS ?? 100_000);

const measured = {
  'each task once, as it ended': ['lives', 'bare'],
  'enqueued, and then as it ended': ['twice', 'bare'],
} as const;

type Part = 'bare' | 'lives' | 'twice';

/** Prints rates, ratios and their spread. */
export async function run(): Promise<void> {
  console.log(
    `${rounds} rounds; ${tasks} tasks of 130 bytes of JSON in batches of 5,000, with the events of their lives.`,
  );
  await compare('SQLite', (part) => inFolder((folder) => measure(`sqlite:${join(folder, 'record.db')}`, part)));
  const missing = missingServers(['postgres']);
  if (missing.length > 0) return console.log(`There is no Postgres here: ${installLine(missing)}`);
  const server = await startPostgres();
  await compare('Postgres', async (part) => measure(await emptyDatabase(server.url), part));
  await server.stop();
}

type Figures = Readonly<Record<Part, number>>;

async function compare(name: string, measureOne: (part: Part) => Promise<Measured>): Promise<void> {
  const cpu: Record<Part, number[]> = { bare: [], lives: [], twice: [] };
  const rateOf = async (part: Part): Promise<number> => {
    const measured = await measureOne(part);
    cpu[part].push(measured.cpu);
    return measured.rate;
  };
  const bare = [await rateOf('bare')];
  const own: Figures[] = [];
  for (let round = 0; round < rounds; round++) {
    own.push({ lives: await rateOf('lives'), twice: await rateOf('twice'), bare: 0 });
    bare.push(await rateOf('bare'));
  }
  console.log(name);
  console.table(
    tableOf(
      measured,
      own,
      bare.map((rate) => ({ bare: rate })),
    ),
  );
  const us = (part: Part): string => quantile(cpu[part], 0.5).toFixed(1);
  console.log(`µs of CPU of the process a task: once ${us('lives')}, twice ${us('twice')}, bare ${us('bare')}.`);
  console.log(`Tasks per second, medians. Load of the machine: ${load()}.`);
}

/** Tasks a second, and µs of CPU of the process for each. */
interface Measured {
  readonly rate: number;
  readonly cpu: number;
}

async function measure(url: string, part: Part): Promise<Measured> {
  return JSON.parse(await runScript('record-own.ts', url, String(tasks), part));
}
