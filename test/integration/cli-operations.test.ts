/** Tests commands on errors, definitions, audit, stats and what is done to many tasks, straight on a store of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { runCli } from '../../src/cli/cli.ts';
import type { Definition } from '../../src/core/presence.ts';
import { presence } from '../conformance/samples.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-cli-'));
  writeFileSync(join(folder, 'package.json'), '{}');
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (...words: readonly string[]) => runAs(false, ...words);

async function runAs(isTTY: boolean, ...words: readonly string[]) {
  const out: string[] = [];
  const notes: string[] = [];
  const sink = (into: string[]) => ({ isTTY, columns: 100, write: (text: string) => void into.push(text) });
  const surroundings = { readStdin: async () => '', env: { LANG: 'C.UTF-8', NO_COLOR: '1' }, cwd: folder };
  const code = await runCli([...words], { stdout: sink(out), stderr: sink(notes), ...surroundings });
  return { code, stdout: out.join(''), stderr: notes.join('') };
}

async function json<Document>(...words: readonly string[]): Promise<Document> {
  const { code, stdout, stderr } = await run(...words, '--json');
  expect([code, stderr.includes('✗')]).toEqual([0, false]);
  return JSON.parse(stdout) as Document;
}

async function enqueue(...names: readonly string[]): Promise<void> {
  for (const name of names) expect((await run('task', 'run', name, '{}', '--queue', 'email')).code).toBe(0);
}

test('a number of any length is enqueued as it was written', async () => {
  const input = '{"n":12345678901234567890}';
  const { id } = await json<{ id: string }>('task', 'run', 'mail.a', input);
  expect((await run('task', 'get', id, '--json')).stdout).toContain('12345678901234567890');
});

test('queue peek tells what is next, in the order of claims', async () => {
  await enqueue('mail.a', 'mail.b');
  await run('task', 'run', 'mail.c', '{}', '--queue', 'email', '--priority', 'urgent');
  await run('task', 'run', 'mail.d', '{}', '--queue', 'email', '--delay', '5m');
  const tasks = await json<{ name: string; stands: string }[]>('queue', 'peek', 'email');
  expect(tasks.map(({ name, stands }) => `${name} ${stands}`)).toEqual([
    'mail.c next',
    'mail.a next',
    'mail.b next',
    'mail.d scheduled',
  ]);
  const { code, stdout } = await run('queue', 'peek', 'email', '--limit', '1');
  expect([code, stdout.split('\t').slice(0, 3)]).toEqual([0, ['1', 'next', 'mail.c']]);
  expect((await run('queue', 'peek', 'nobody')).code).toBe(4);
  expect((await run('queue', 'peek', 'email', '--limit', '101')).code).toBe(2);
});

describe('queue purge', () => {
  test('counts, and does nothing that nobody has said yes to', async () => {
    await enqueue('mail.a', 'mail.b');
    const { code, stderr } = await run('queue', 'purge', 'email');
    expect([code, stderr]).toEqual([2, expect.stringContaining('Purge 2 tasks?') as unknown]);
    expect(await json('queue', 'purge', 'email', '--dry-run')).toMatchObject({ matched: 2, operation: null });
    expect(await json('operation', 'list')).toEqual([]);
  });

  test('begins with a time to undo it, in which it can be stopped', async () => {
    await enqueue('mail.a');
    const { operation } = await json<{ operation: { id: string } }>(
      'queue',
      'purge',
      'email',
      '--yes',
      '--reason',
      'old',
    );
    expect(await json('operation', 'get', operation.id)).toMatchObject({ verb: 'cancel', reason: 'old', matched: 1 });
    await json('operation', 'stop', operation.id);
    expect(await json('operation', 'list')).toMatchObject([{ id: operation.id, view: 'cancelled' }]);
    expect(await json('queue', 'get', 'email')).toMatchObject({ name: 'email', waiting: 1 });
  });

  test('of what is not there is said by its exit code', async () => {
    expect((await run('queue', 'purge', 'nobody', '--yes')).code).toBe(4);
    expect((await run('queue', 'get', 'nobody')).code).toBe(4);
    expect((await run('error', 'mute', 'abc')).code).toBe(4);
    expect((await run('definition', 'get', 'nothing')).code).toBe(4);
  });
});

test('the audit tells of commands, and of one kind alone when that is asked', async () => {
  await enqueue('mail.a');
  await run('queue', 'pause', 'email');
  expect(await json('audit', 'list', '--operation', 'queue.pause')).toMatchObject([
    { operation: 'queue.pause', outcome: 'done' },
  ]);
  const { stdout, stderr } = await run('audit', 'list', '--limit', '1');
  expect([stdout.trim().split('\n').length, stderr]).toEqual([1, expect.stringContaining('--after') as unknown]);
});

test('definitions are those that workers have told of', async () => {
  const store = connect(`sqlite:${join(folder, '.taskflow', 'taskflow.db')}`);
  expect(await json('definition', 'list')).toEqual([]);
  await store.broker.open();
  const known: Definition = {
    ...{ name: 'mail.send', description: null, queue: 'email', inputSchema: null, schemaVersion: null, policy: '{}' },
    ...{ timeoutMs: null, key: null, keyForMs: null, ifExists: 'return', group: null, file: null },
  };
  await store.broker.heartbeat({ worker: presence({ definitions: [known] }), leaseMs: 30_000, beats: [] });
  await store.close();
  expect(await json('definition', 'list')).toMatchObject([{ name: 'mail.send', queue: 'email', workers: 1 }]);
  expect(await json('definition', 'get', 'mail.send')).toMatchObject({ name: 'mail.send', inputSchema: null });
});

test('a definition is shown in lines to read, the fields of its input too, and whole to programs', async () => {
  const store = connect(`sqlite:${join(folder, '.taskflow', 'taskflow.db')}`);
  await store.broker.open();
  const properties = {
    to: { type: 'string', format: 'email' },
    sizes: { type: 'array', items: { enum: ['s', 'm'] } },
    '\u001b[2Jnote': { anyOf: [{ type: 'string' }, { type: 'null' }] },
  };
  const known: Definition = {
    ...{ name: 'mail.send', description: 'Sends a mail', queue: 'email', schemaVersion: '2', policy: '{"attempts":3}' },
    ...{ timeoutMs: 60_000, key: 'mail:{to}', keyForMs: null, ifExists: 'replace', group: null, file: null },
    limits: [{ key: null, max: 20, rate: null }],
    inputSchema: { type: 'object', properties, required: ['to', 'sizes'] },
  };
  const worker = presence({ name: 'ada', definitions: [known] });
  await store.broker.heartbeat({ worker, leaseMs: 30_000, beats: [] });
  await store.close();
  const get = ['definition', 'get', 'mail.send'];
  expect((await runAs(true, ...get)).stdout.split('\n')).toEqual([
    '  Task       mail.send',
    '  About      Sends a mail',
    '  Queue      email',
    '  Runs       3 at most, the second after 1.0 s, then 2 times as long each, 1 h at most',
    '  Timeout    1 m',
    '  Kept       3d after success, else 30d',
    '  Key        mail:{to}, when it is held: replace',
    '  Limits     20 at once in all',
    '  Workers    1',
    '  Versions   2 (ada)',
    '  Input',
    '    to        string (email)',
    '    sizes     list of "s" or "m"',
    '    [2Jnote   string or null, may be left out',
    '',
  ]);
  const raw = (await run(...get)).stdout;
  expect(raw).not.toContain('\u001b');
  expect(raw.split('\n')).toContain('runs\t3');
  expect(raw).toContain(`input\t{"type":"object"`);
});

test('lists that have nothing are empty lists', async () => {
  for (const words of [
    'error list',
    'stats timeline',
    'stats depth',
    'operation list',
    'definition list',
    'audit list',
  ]) {
    expect([words, await json(...words.split(' '))]).toEqual([words, []]);
    expect([words, (await run(...words.split(' '))).stderr]).toEqual([words, expect.stringMatching(/\S/)]);
  }
});

test('a list of tasks goes past pages that have none, since bulk operations are not among them', async () => {
  await enqueue('mail.a');
  for (const _one of [1, 2]) await json('queue', 'purge', 'email', '--yes', '--delay', '1h');
  expect(await json('task', 'list', '--limit', '1')).toMatchObject([{ name: 'mail.a' }]);
});
