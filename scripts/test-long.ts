// What takes too long for every change, about half an hour on a quiet machine: `npm run test:long`. Outages of two minutes, more seeds on the real stores,
// plans with a million tasks. Writes what came of it to docs/reliability-runs.md, and ends with 1 when anything failed or was left out. Some of it
// alone, with all else on the page as it was: `npm run test:long -- redis postgres`.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDuration } from '../src/core/duration.ts';
import { findPostgres, findRedis } from '../src/servers/programs.ts';

interface Part {
  /** As it is asked for. */
  readonly name: string;
  readonly title: string;
  readonly says: string;
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Result {
  readonly status: 'passed' | 'failed' | 'pending' | 'skipped' | 'todo';
  readonly fullName: string;
  readonly duration?: number;
  readonly meta?: { readonly run?: Readonly<Record<'accepted' | 'refused' | 'ended', number>> };
}

interface Section {
  readonly part: Part;
  readonly results: readonly Result[];
  readonly ms: number;
  readonly startedAt: Date;
}

const outage = process.env.OUTAGES ?? '2m';

const simulated =
  'The whole engine on a virtual clock, every fault drawn by the seed, each seed judged and compared with the same one in memory:';

const parts: readonly Part[] = [
  {
    name: 'faults',
    title: 'Faults',
    says: `Each is a server, a worker and a client, never started again, while their stores have outages of ${outage}; the streaming checker found every accepted task done once and nothing else. What was not answered was sent again by the client. [test/faults](../test/faults/README.md) says what happens in each.`,
    files: ['test/faults'],
    env: { OUTAGES: outage },
  },
  {
    name: 'redis',
    title: 'Simulation on Redis',
    says: `${simulated} 300 seeds.`,
    files: ['test/simulation/redis.test.ts'],
    env: { SIMULATION: 'long' },
  },
  {
    name: 'postgres',
    title: 'Simulation on Postgres',
    says: `${simulated} 100 seeds.`,
    files: ['test/simulation/postgres.test.ts'],
    env: { SIMULATION: 'long' },
  },
  {
    name: 'plans',
    title: 'Plans with a million tasks',
    says: 'Every hot statement names its index, and the cost of every script for one task is the same from 1,000 tasks to 1,000,000. Among a million finished tasks, on SQLite and Postgres, no page, list or search needs a seventh statement.',
    files: ['test/plans'],
    env: { PLAN_TASKS: '1000000' },
  },
  {
    name: 'attacks',
    title: 'Attacks',
    says: 'A server, an attacker and clients in processes of their own. The medians of what the clients wait for, by turns with and without the attack, are within twice of each other.',
    files: ['test/e2e/attack.test.ts'],
    env: { ATTACKS: 'long' },
  },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/reliability-runs.md');
const folder = mkdtempSync(join(tmpdir(), 'taskflow-long-'));

const wanted = process.argv.slice(2);
const unknown = wanted.filter((word) => !parts.some(({ name }) => name === word));
if (unknown.length > 0) throw new Error(`There is no ${unknown}: ${parts.map(({ name }) => name).join(', ')}`);

const sections: Section[] = [];
for (const part of parts) {
  if (wanted.length > 0 && !wanted.includes(part.name)) continue;
  const section = { part, startedAt: new Date(), ...runPart(part) };
  sections.push(section);
  // After each: whoever has to stop it has what is done.
  writePage(section);
}
rmSync(folder, { recursive: true, force: true });

const bad = sections.flatMap(({ results }) => results).filter(({ status }) => status !== 'passed');
console.log(`\nwritten: docs/reliability-runs.md${bad.length === 0 ? '' : `; not passed: ${bad.length}`}`);
if (bad.length > 0 || sections.some(({ results }) => results.length === 0)) process.exitCode = 1;

function runPart({ files, env }: Part): Pick<Section, 'results' | 'ms'> {
  const output = join(folder, 'results.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${output}`];
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...files, ...reporters];
  const from = performance.now();
  rmSync(output, { force: true });
  const all = { ...process.env, SERVERS: 'required', ...env };
  spawnSync(process.execPath, args, { cwd: root, env: all, stdio: 'inherit' });
  const ms = performance.now() - from;
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as {
    readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly Result[] }[];
  };
  // A file that could not be loaded has no tests, and must not look like one that passed.
  const results = testResults.flatMap(({ name, assertionResults }): readonly Result[] =>
    assertionResults.length > 0 ? assertionResults : [{ status: 'failed', fullName: name }],
  );
  return { results, ms };
}

/** Puts a section in the place of the one that was there of its part. */
function writePage(section: Section): void {
  const texts = readFileSync(page, 'utf8').split(/^(?=## )/m);
  const of = ({ title }: Part): string | undefined => texts.find((text) => text.startsWith(`## ${title}\n`));
  const kept = parts.map((part) => (part === section.part ? `${sectionOf(section).join('\n')}\n` : of(part)));
  writeFileSync(page, ['# Long runs', ...kept.flatMap((text) => text?.trimEnd() ?? [])].join('\n\n').concat('\n'));
}

/** When, and on what. */
function stampOf({ part, startedAt }: Section): string {
  const [major = ''] = process.version.split('-');
  const servers = [findRedis(), findPostgres() === null ? null : join(findPostgres() ?? '', 'postgres')];
  const versions = servers.map((program) => (program === null ? 'none' : versionOf(program)));
  const memory = Math.round(totalmem() / 1024 ** 3);
  const machine = `${cpus().length} processors, ${memory} GiB`;
  return `\`npm run test:long -- ${part.name}\` at ${startedAt.toISOString()}, Node ${major.slice(1)}, ${versions.join(', ')}, ${machine}.`;
}

/** `Redis server v=7.0.15 …`, `postgres (PostgreSQL) 15.16 …`. */
function versionOf(program: string): string {
  const told = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout;
  const [, number = '?'] = /(?:v=|\) )([\d.]+)/.exec(told) ?? [];
  return `${/postgres/i.test(told) ? 'Postgres' : 'Redis'} ${number}`;
}

function sectionOf(section: Section): readonly string[] {
  const { part, results, ms } = section;
  const passed = results.filter(({ status }) => status === 'passed');
  const rest = results.filter(({ status }) => status !== 'passed');
  const counted = results.filter(({ meta }) => meta?.run !== undefined);
  return [
    `## ${part.title}`,
    '',
    stampOf(section),
    '',
    part.says,
    '',
    `${passed.length} of ${results.length} passed, in ${formatDuration(ms)}.`,
    ...rest.map(({ fullName, status }) => `\n**${status}**: ${fullName}`),
    ...(counted.length === 0 ? [] : tableOf(counted)),
  ];
}

function tableOf(results: readonly Result[]): readonly string[] {
  const number = (value: number): string => value.toLocaleString('en');
  return [
    '',
    '| scenario | took | accepted | calls sent again | runs |',
    '|---|--:|--:|--:|--:|',
    ...results.map(({ fullName, duration = 0, meta }) => {
      const { accepted = 0, refused = 0, ended = 0 } = meta?.run ?? {};
      return `| ${fullName} | ${formatDuration(duration)} | ${number(accepted)} | ${number(refused)} | ${number(ended)} |`;
    }),
  ];
}
