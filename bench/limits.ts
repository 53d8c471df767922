/**
 * What keys, groups and limits cost: by a worker of 100 slots, and at the seam, claim and settle by 100; each kind right after a plain run, each in a
 * fresh process on a fresh file. And what a long backlog costs: 1,000 tasks of 100 groups, and 1,000,000 of 10,000.
 */

import { join } from 'node:path';
import process from 'node:process';
import { inFolder, load, quantile, runScript } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const tasks = Number(process.env.BENCH_TASKS ?? 30_000);
const backlog = Number(process.env.BENCH_BACKLOG ?? 1_000_000);

/** What is compared with plain tasks at the seam, and the least that is wanted of it. */
const wanted: Readonly<Record<string, number>> = {
  group: 0.5,
  limit: 0.5,
  // 0.5 is wanted with the run between, above; this is the dearer part of it alone.
  'key, group and limit': 0.4,
  '10,000 groups': 0.35,
  '10,000 groups with limits': 0.35,
};

interface Measured {
  readonly perSecond: number;
  /** Of the processor, a task. */
  readonly cpuUs: number;
}

/** Prints rates and ratios. */
export async function run(): Promise<void> {
  console.log(`${rounds} rounds; ${tasks} tasks of 130 bytes; WAL, synchronous=FULL; history kept.`);
  const rows: Record<string, object> = {};
  const [plainRuns, ownRuns]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    plainRuns.push(await measureWorker('plain'));
    ownRuns.push(await measureWorker('key, group and limit'));
  }
  rows['claim, run, settle: key, group and limit'] = row(ownRuns, plainRuns, 0.5);
  for (const [kind, least] of Object.entries(wanted)) {
    const [plain, own]: [Measured[], Measured[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      plain.push(await measure('plain', tasks));
      own.push(await measure(kind, tasks));
    }
    rows[kind] = row(own, plain, least);
  }
  for (const kind of ['plain', '10,000 groups with limits']) {
    const [short, long]: [Measured[], Measured[]] = [[], []];
    for (let round = 0; round < Math.min(3, rounds); round += 1) {
      short.push(await measure(kind, 1_000, 20_000));
      long.push(await measure(kind, backlog, 20_000));
    }
    rows[`${kind}: ${backlog.toLocaleString('en-US')} waiting beside 1,000`] = row(long, short, 0.8);
  }
  console.table(rows);
  console.log(`Tasks per second, medians; ratio: the median of each round. Load of the machine: ${load()}.`);
}

function row(own: readonly Measured[], plain: readonly Measured[], least: number) {
  const ratios = own.map(({ perSecond }, round) => perSecond / (plain[round]?.perSecond ?? Number.NaN));
  const median = (values: readonly number[]): number => quantile(values, 0.5);
  return {
    plain: Math.round(median(plain.map(({ perSecond }) => perSecond))),
    own: Math.round(median(own.map(({ perSecond }) => perSecond))),
    ratio: Number(median(ratios).toFixed(2)),
    wanted: least,
    'µs CPU, plain': Number(median(plain.map(({ cpuUs }) => cpuUs)).toFixed(1)),
    'µs CPU': Number(median(own.map(({ cpuUs }) => cpuUs)).toFixed(1)),
  };
}

/** Through a worker of 100 slots. */
function measureWorker(kind: string): Promise<Measured> {
  return inFolder(async (folder) =>
    JSON.parse(await runScript('limits-worker.ts', join(folder, 'own.db'), String(tasks), kind)),
  );
}

/** Stores `count` tasks and measures the first `measured`; where those are more, the tasks are stored anew as often as needed. */
function measure(kind: string, count: number, measured = count): Promise<Measured> {
  return inFolder(async (folder) =>
    JSON.parse(await runScript('limits-own.ts', join(folder, 'own.db'), String(count), kind, String(measured))),
  );
}
