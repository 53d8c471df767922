/**
 * TaskFlow beside its peers on the same servers in one run: Redis beside BullMQ and bee-queue, Postgres beside graphile-worker and
 * pg-boss, each beside its bare script. The systems take turns in every round; a ratio compares what one round measured.
 */

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { startPostgres } from '../src/servers/postgres.ts';
import { installLine, missingServers, type ServerKind } from '../src/servers/programs.ts';
import { startRedis } from '../src/servers/redis.ts';
import { emptyDatabase } from './empty-database.ts';
import type { Figures } from './peers/measure.ts';
import { load, quantile } from './settings.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const tasks = Number(process.env.BENCH_TASKS ?? 100_000);
const servers = (process.env.BENCH_SERVERS ?? 'redis,postgres').split(',') as readonly ServerKind[];
const folder = join(import.meta.dirname, 'peers');

/** What is compared on one server. `empty` answers with the URL of a store that holds nothing. */
interface Match {
  readonly server: string;
  readonly bare: { readonly script: string; readonly bulk: RegExp; readonly run: RegExp };
  readonly own: readonly string[];
  readonly peers: readonly string[];
  readonly empty: () => Promise<string>;
}

/** Some figures of one round, by system; a system that could not be measured has none. */
type Round = Readonly<Record<string, Partial<Figures>>>;

/** Prints the medians of the rounds, then TaskFlow's ratios. */
export async function run(): Promise<void> {
  const missing = missingServers(servers);
  if (missing.length > 0) return console.log(`There is no ${missing.join(' and no ')} here: ${installLine(missing)}`);
  await install();
  console.log(`${rounds} rounds; ${tasks} tasks of 130 bytes of JSON, no-op handler, one worker process.`);
  if (servers.includes('redis')) {
    // Its log is not written anew within a round: that takes a processor for a second, of whose turn it is by chance.
    const log = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--auto-aof-rewrite-percentage', '0'];
    const redis = await startRedis(log);
    await compare(onRedis(redis.url)).finally(() => redis.stop());
  }
  if (servers.includes('postgres')) {
    const postgres = await startPostgres();
    await compare(onPostgres(postgres.url)).finally(() => postgres.stop());
  }
}

/** From the lock file; nobody else needs them. */
async function install(): Promise<void> {
  const installed = join(folder, 'node_modules', '.package-lock.json');
  if (existsSync(installed)) return;
  console.log('installing what it is compared with');
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
}

function onRedis(url: string): Match {
  const empty = async (): Promise<string> => {
    const client = new Redis(url);
    await client.flushall();
    client.disconnect();
    return url;
  };
  const bare = { script: 'redis.mjs', bulk: /enq\/s (\d+)/, run: /proc\/s (\d+)/ };
  const server = 'Redis, appendonly yes, appendfsync everysec, no rewrite of the log';
  return {
    server,
    bare,
    own: ['taskflow', 'taskflow+rules', 'taskflow+unrecorded'],
    peers: ['bullmq', 'bee-queue'],
    empty,
  };
}

function onPostgres(url: string): Match {
  const bare = { script: 'postgres.mjs', bulk: /enq\/s (\d+)/, run: /in place\) (\d+)/ };
  const server = 'Postgres with its defaults';
  return { server, bare, own: ['taskflow'], peers: ['graphile-worker', 'pg-boss'], empty: () => emptyDatabase(url) };
}

async function compare(match: Match): Promise<void> {
  const measured: Round[] = [];
  for (let number = 0; number < rounds; number++) measured.push(await runRound(match));
  console.log(`\n${match.server}. Medians.`);
  console.table(
    Object.fromEntries(['bare', ...match.peers, ...match.own].map((name) => [name, medians(measured, name)])),
  );
  console.log('µs of CPU a task, of the process, of the thread of Redis, and of the process that records.');
  console.table(Object.fromEntries([...match.peers, ...match.own].map((name) => [name, cpuOf(measured, name)])));
  console.log('Medians of the ratios within each round.');
  console.table(
    Object.fromEntries(
      match.own
        .filter((own) => measured.some((round) => round[own]?.run !== undefined))
        .flatMap((own) => ['bare', ...match.peers].map((other) => [`${own} : ${other}`, ratios(measured, own, other)])),
    ),
  );
  console.log(`Load of the machine: ${load()}. Versions: ${versions()}.`);
}

async function runRound({ bare, own, peers, empty }: Match): Promise<Round> {
  const round: Record<string, Partial<Figures>> = { bare: await measureBare(bare, await empty()) };
  for (const name of [...peers, ...own]) round[name] = await measure(name, await empty());
  return round;
}

async function measureBare({ script, bulk, run }: Match['bare'], url: string): Promise<Partial<Figures>> {
  const env = { ...process.env, DATABASE_URL: url, REDIS_PORT: new URL(url).port };
  const path = join(import.meta.dirname, 'bare', script);
  const { stdout } = await promisify(execFile)(process.execPath, [path], { env });
  const read = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]);
  return { bulk: read(bulk), run: read(run) };
}

async function measure(name: string, url: string): Promise<Partial<Figures>> {
  const script = join(folder, 'measure.ts');
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [script, name, url, String(tasks)]);
    return JSON.parse(stdout) as Figures;
  } catch (error) {
    console.log(
      `${name} was not measured: ${/^\w*Error: .*$/m.exec(String((error as { stderr?: string }).stderr))?.[0]}`,
    );
    return {};
  }
}

/** What is one number; of the time of the processor there is a table of its own. */
type Shown = Exclude<keyof Figures, 'bulkCpu' | 'singleCpu' | 'runCpu'>;

const shown: Readonly<Record<Shown, string>> = {
  bulk: 'bulk enqueue /s',
  single: 'single enqueue /s',
  run: 'claim, run, settle /s',
  bytes: 'bytes waiting',
  pickupP50: 'pick-up p50 ms',
  pickupP99: 'pick-up p99 ms',
};

function medians(measured: readonly Round[], name: string): Readonly<Record<string, number | string>> {
  return tabulate((figure) => median(measured.map((round) => round[name]?.[figure] ?? null)));
}

function ratios(measured: readonly Round[], own: string, other: string): Readonly<Record<string, number | string>> {
  return tabulate((figure) =>
    median(
      measured.map((round) => {
        const [mine, theirs] = [round[own]?.[figure] ?? null, round[other]?.[figure] ?? null];
        return mine === null || theirs === null ? null : mine / theirs;
      }),
    ),
  );
}

/** Other work on the machine makes everybody slower, but this least. */
function cpuOf(measured: readonly Round[], name: string): Readonly<Record<string, string>> {
  const each = (figure: 'bulkCpu' | 'singleCpu' | 'runCpu'): string => {
    const found = measured.map((round) => round[name]?.[figure]);
    const places = (['process', 'server', 'recorder'] as const).map((place) =>
      median(found.map((cpu) => cpu?.[place] ?? null)),
    );
    // Of Postgres only the process is known: each of its connections is a process of its own.
    return places.flatMap((us) => (Number.isNaN(us) ? [] : us.toFixed(1))).join(' + ');
  };
  return { 'bulk enqueue': each('bulkCpu'), 'single enqueue': each('singleCpu'), 'claim, run, settle': each('runCpu') };
}

function tabulate(value: (figure: Shown) => number): Readonly<Record<string, number | string>> {
  return Object.fromEntries(
    Object.entries(shown).map(([figure, title]) => {
      const number = value(figure as Shown);
      return [title, Number.isNaN(number) ? '' : number > 1_000 ? Math.round(number) : Number(number.toFixed(2))];
    }),
  );
}

function median(values: readonly (number | null)[]): number {
  return quantile(
    values.filter((value) => value !== null),
    0.5,
  );
}

function versions(): string {
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(dependencies)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');
}
