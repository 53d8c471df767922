// What takes too long for every change, about half an hour on a quiet machine: `npm run test:long`. Outages of two minutes, more seeds on the real stores,
// plans with a million tasks. Writes what came of it to docs/reliability-runs.md, and ends with 1 when anything failed or was left out.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatDuration } from '../src/core/duration.ts';
import { findPostgres, findRedis } from '../src/servers/programs.ts';

interface Part {
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
}

const outage = process.env.OUTAGES ?? '2m';

const parts: readonly Part[] = [
  {
    title: 'Faults',
    says: `Each is a server, a worker and a client, never started again, while their stores have outages of ${outage}; the streaming checker found every accepted task done once and nothing else. What was not answered was sent again by the client. [test/faults](../test/faults/README.md) says what happens in each.`,
    files: ['test/faults'],
    env: { OUTAGES: outage },
  },
  {
    title: 'Simulation on real stores',
    says: 'The whole engine on a virtual clock, every fault drawn by the seed: 300 seeds on Redis, 100 on Postgres, each judged and compared with the same seed in memory.',
    files: ['test/simulation/redis.test.ts', 'test/simulation/postgres.test.ts'],
    env: { SIMULATION: 'long' },
  },
  {
    title: 'Plans with a million tasks',
    says: 'Every hot statement names its index, and the cost of every script for one task is the same from 1,000 tasks to 1,000,000.',
    files: ['test/plans'],
    env: { PLAN_TASKS: '1000000' },
  },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/reliability-runs.md');
const folder = mkdtempSync(join(tmpdir(), 'taskflow-long-'));
const startedAt = new Date();

const sections: Section[] = [];
for (const part of parts) {
  sections.push({ part, ...runPart(part) });
  // After each: whoever has to stop it has what is done.
  writeFileSync(page, `${[...headOf(), ...sections.flatMap(sectionOf)].join('\n')}\n`);
}
rmSync(folder, { recursive: true, force: true });

const bad = sections.flatMap(({ results }) => results).filter(({ status }) => status !== 'passed');
console.log(`\nwritten: docs/reliability-runs.md${bad.length === 0 ? '' : `; not passed: ${bad.length}`}`);
if (bad.length > 0 || sections.some(({ results }) => results.length === 0)) process.exitCode = 1;

function runPart({ files, env }: Part): Omit<Section, 'part'> {
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

function headOf(): readonly string[] {
  const [major = ''] = process.version.split('-');
  const servers = [findRedis(), findPostgres() === null ? null : join(findPostgres() ?? '', 'postgres')];
  const versions = servers.map((program) => (program === null ? 'none' : versionOf(program)));
  const memory = Math.round(totalmem() / 1024 ** 3);
  return [
    '# Long runs',
    '',
    `\`npm run test:long\` at ${startedAt.toISOString()}, Node ${major.slice(1)}, ${versions.join(', ')}, ${cpus().length} processors, ${memory} GiB. The command has written this page.`,
  ];
}

/** `Redis server v=7.0.15 …`, `postgres (PostgreSQL) 15.16 …`. */
function versionOf(program: string): string {
  const told = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout;
  const [, number = '?'] = /(?:v=|\) )([\d.]+)/.exec(told) ?? [];
  return `${/postgres/i.test(told) ? 'Postgres' : 'Redis'} ${number}`;
}

function sectionOf({ part, results, ms }: Section): readonly string[] {
  const passed = results.filter(({ status }) => status === 'passed');
  const rest = results.filter(({ status }) => status !== 'passed');
  const counted = results.filter(({ meta }) => meta?.run !== undefined);
  return [
    '',
    `## ${part.title}`,
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
