/** Checks the command line as a whole, with the commands that need no store. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorTable } from '../core/error-table.ts';
import { nouns } from './catalog.ts';
import { runCli } from './cli.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-cli-'));
  writeFileSync(join(folder, 'package.json'), '{}');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(words: string, options: { readonly env?: Record<string, string>; readonly isTTY?: boolean } = {}) {
  let stdout = '';
  let stderr = '';
  const sink = (write: (text: string) => void) => ({ isTTY: options.isTTY, columns: 100, write });
  const code = await runCli(
    words.split(' ').filter((word) => word !== ''),
    {
      stdout: sink((text) => {
        stdout += text;
      }),
      stderr: sink((text) => {
        stderr += text;
      }),
      readStdin: async () => '',
      env: { LANG: 'C.UTF-8', ...options.env },
      cwd: folder,
    },
  );
  return { code, stdout, stderr };
}

test('without words and with --help the overview goes to stdout', async () => {
  const { code, stdout, stderr } = await run('');
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toBe((await run('--help')).stdout);
  for (const { name } of nouns) expect(stdout).toContain(`\n  ${name}`);
});

test.each(nouns.filter(({ alone }) => !alone))('the overview names every verb of $name', async ({ usage, load }) => {
  expect(usage.split('|')).toEqual((await load()).commands.map(({ name }) => name));
});

test('the README names every command', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  for (const { name, alone, usage } of nouns) {
    const verbs = alone ? [] : usage.split('|');
    expect(readme).toContain(`| \`taskflow ${[name, ...verbs.slice(0, 1)].join(' ')}`);
    const row = readme.split('\n').find((line) => line.startsWith(`| \`taskflow ${name} `)) ?? '';
    expect(verbs.filter((verb) => !row.includes(`${verb}\``))).toEqual([]);
  }
});

test.each(nouns.map(({ name }) => name))('%s has help with an example for every command', async (name) => {
  const noun = nouns.find((one) => one.name === name)!;
  for (const spec of (await noun.load()).commands) {
    const { code, stdout, stderr } = await run(noun.alone ? `${name} --help` : `${name} ${spec.name} --help`);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${spec.summary}.`);
    expect(stdout).toContain(`Example:\n  ${spec.example}`);
    expect(spec.example).toContain('taskflow ');
  }
});

test.each([
  ['--nothing', 'There is no option --nothing.'],
  ['--jsn', 'There is no option --jsn. Did you mean --json?'],
  ['tsak list', 'There is no command "tsak". Did you mean task?'],
  ['task lst', 'There is no "task lst". Did you mean list?'],
  ['task list --sate failed', 'There is no option --sate. Did you mean --state?'],
  ['task get', 'The id is missing.'],
  ['task list --state', 'The option --state <states> needs a value.'],
  ['config list x', 'There are more words than this command takes.'],
  ['config list -o yaml', '"yaml" is not a way to print.'],
  ['config list --cwd nowhere', 'The folder nowhere does not exist.'],
  ['config list --fields kye', 'There is no field "kye". Did you mean key?'],
])('"%s" is refused with the next thing to do', async (words, problem) => {
  const { code, stdout, stderr } = await run(words);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.split('\n')[0]).toBe(`✗ ${problem}`);
  expect(stderr.split('\n')[1]).toMatch(/^ {2}\S/);
});

test('with --json an error is a document on stderr', async () => {
  const { code, stdout, stderr } = await run('tsak --json');
  expect([code, stdout]).toEqual([2, '']);
  expect(JSON.parse(stderr)).toEqual({
    error: { code: 'USAGE', message: 'There is no command "tsak". Did you mean task?', hint: 'taskflow --help' },
  });
});

test('plurals and aliases are understood', async () => {
  expect((await run('configs ls')).stdout).toBe((await run('config list')).stdout);
  expect((await run('config show server.port')).stdout).toBe('8000\n');
});

test('global options stand before or after the command', async () => {
  expect((await run('--json config get server.port')).stdout).toBe((await run('config get server.port --json')).stdout);
});

test('a setting says where it comes from', async () => {
  writeFileSync(join(folder, '.env'), 'TASKFLOW_PORT=81');
  const { stdout } = await run('config get server.port namespace --namespace mail --json', {
    env: { TASKFLOW_PORT: '82' },
  });
  expect(JSON.parse(stdout)).toEqual([
    { key: 'server.port', value: 82, origin: 'TASKFLOW_PORT' },
    { key: 'namespace', value: 'mail', origin: '--namespace' },
  ]);
});

test('passwords are not shown', async () => {
  const { stdout } = await run('config list', { env: { TASKFLOW_BROKER: 'redis://u:secret@h' } });
  expect(stdout).toContain('redis://u:***@h');
  expect(stdout).not.toContain('secret');
});

test('config validate exits with 9, any other command with 2', async () => {
  const env = { TASKFLOW_SERVER_PORT: 'x' };
  const validate = await run('config validate', { env });
  expect([validate.code, validate.stdout]).toEqual([9, '']);
  expect(validate.stderr).toContain('TASKFLOW_SERVER_PORT must be a whole number from 0 to 65535, not "x"');
  expect((await run('config list', { env })).code).toBe(2);
  expect((await run('config validate --json')).code).toBe(0);
});

test('fields, ids and lines are picked', async () => {
  expect((await run('config list -o id')).stdout.split('\n')).toContain('server.port');
  expect((await run('config get env --json --fields key')).stdout).toBe('{\n  "key": "env"\n}\n');
  expect((await run('config list -o jsonl --fields key')).stdout.split('\n')[0]).toBe('{"key":"tasks"}');
  expect((await run('config list --fields key', { isTTY: true })).stdout).toMatch(/KEY\S*\n/);
});

test('the version is that of the package', async () => {
  expect(JSON.parse((await run('version --json')).stdout)).toMatchObject({
    taskflow: expect.stringMatching(/^\d/),
    node: process.versions.node,
  });
  expect((await run('--version')).stdout).toMatch(/^taskflow \d/);
});

test('every exit code of the error table is a documented one', async () => {
  const { stdout } = await run('--help');
  for (const { exitCode } of Object.values(errorTable)) expect(stdout).toMatch(new RegExp(`\\b${exitCode} \\w`));
});
