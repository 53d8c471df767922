/** Drives the built command line as programs and people do: every command, as table and as JSON, with nothing, one, many and an error. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../bin/taskflow.js', import.meta.url));
const tasks = fileURLToPath(new URL('../../examples/tasks', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'taskflow-e2e-'));
const children = new Set<ChildProcess>();
/** Servers that were detached from us: a failed test must not leave one behind. */
const detached = new Set<number>();

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(words: readonly string[], cwd = folder): ChildProcess {
  const child = spawn(process.execPath, [program, ...words], {
    cwd,
    env: { ...process.env, LANG: 'C.UTF-8', NO_COLOR: '' },
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

function run(words: readonly string[], options: { readonly cwd?: string; readonly stdin?: string } = {}): Promise<Run> {
  const child = start(words, options.cwd);
  child.stdin?.end(options.stdin ?? '');
  return new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The first line of JSON a long-running command prints. */
function ready(child: ChildProcess): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
      const end = text.indexOf('\n');
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)) as Record<string, unknown>);
    });
    child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${text}`)));
  });
}

const exited = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('exit', resolve));

beforeAll(async () => {
  writeFileSync(join(folder, 'package.json'), '{}');
  // In the repository the first command builds: what keeps it from that is told once, not by every test.
  const { code, stderr } = await run(['version']);
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const pid of detached) process.kill(pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('lists', () => {
  const lists = [
    ['task', 'list'],
    ['queue', 'list'],
    ['worker', 'list'],
  ] as const;

  test.each(lists)('%s %s is [] as JSON and nothing as table when there is nothing', async (...words) => {
    const cwd = mkdtempSync(join(folder, 'empty-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    expect(await run([...words, '--json'], { cwd })).toMatchObject({ code: 0, stdout: '[]\n' });
    expect(await run(words, { cwd })).toMatchObject({ code: 0, stdout: '' });
    expect(await run([...words, '-o', 'jsonl'], { cwd })).toMatchObject({ code: 0, stdout: '' });
  });

  test('one and many tasks are as many rows', async () => {
    const cwd = mkdtempSync(join(folder, 'many-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    for (const count of [1, 2, 3]) {
      const { code, stdout } = await run(
        ['task', 'run', 'demo.hello', '{"name":"Ada"}', '-o', 'id', '--tasks', tasks],
        { cwd },
      );
      expect([code, stdout.trim().length]).toEqual([0, 26]);
      const json = await run(['task', 'list', '--json'], { cwd });
      expect(JSON.parse(json.stdout)).toHaveLength(count);
      const table = await run(['task', 'list'], { cwd });
      expect(table.stdout.trim().split('\n')).toHaveLength(count);
    }
  });
});

describe('one task', () => {
  test('is enqueued, shown, explained, cancelled and retried by a part of its id', async () => {
    const { stdout } = await run(['task', 'run', 'demo.hello', '--delay', '1h', '--json', '--tasks', tasks]);
    const { id } = JSON.parse(stdout) as { id: string };
    const part = id.slice(0, 16);
    expect(JSON.parse((await run(['task', 'get', part, '--json'])).stdout)).toMatchObject({
      id,
      state: 'scheduled',
      view: 'scheduled',
      input: {},
      result: null,
    });
    expect(JSON.parse((await run(['explain', part, '--json'])).stdout)).toMatchObject({
      id,
      gates: [{ code: 'no_worker' }, { code: 'not_due' }],
    });
    expect(JSON.parse((await run(['task', 'cancel', '-', '--json'], { stdin: `${id}\n` })).stdout)).toEqual([
      { id, outcome: 'cancelled' },
    ]);
    expect(await run(['task', 'cancel', id])).toMatchObject({ code: 7, stdout: '' });
    expect(JSON.parse((await run(['task', 'retry', part, '--json'])).stdout)).toMatchObject({
      id,
      outcome: 'queued',
      generation: 2,
    });
    expect(await run(['task', 'logs', id, '--json'])).toMatchObject({ code: 0, stdout: '[]\n' });
  });

  test.each([
    [['task', 'get', '01M84ABCDE'], 4, 'TASK_NOT_FOUND'],
    [['task', 'get', 'x'], 2, 'INVALID_ID'],
    [['task', 'list', '--filter', 'stat:failed'], 2, 'INVALID_FILTER'],
    [['task', 'run', 'demo.hello', '{'], 2, 'INVALID_JSON'],
    [['task', 'run', 'demo.hello', '{"name":7}', '--tasks', tasks], 2, 'INVALID_INPUT'],
    [['run', 'demo.helo', '--local', '--tasks', tasks], 4, 'TASK_NOT_DEFINED'],
    [['queue', 'pause', 'nope'], 4, 'QUEUE_NOT_FOUND'],
    [['server', 'status', '--port', '9'], 6, 'SERVER_NOT_RUNNING'],
    [['server', 'stop'], 6, 'SERVER_NOT_RUNNING'],
    [['config', 'get', 'server.prot'], 4, 'SETTING_NOT_FOUND'],
  ] as const)('%j exits with %d and says %s', async (words, code, name) => {
    const json = await run([...words, '--json']);
    expect(json).toMatchObject({ code, stdout: '' });
    expect(JSON.parse(json.stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: name } });
    const table = await run(words);
    expect(table).toMatchObject({ code, stdout: '' });
    expect(table.stderr).toMatch(/^✗ /m);
  });
});

describe('run', () => {
  test('with --local shows the result on stdout and nothing else', async () => {
    const { code, stdout } = await run([
      'run',
      'demo.hello',
      '{"name":"Ada"}',
      '--queue',
      'local',
      '--local',
      '--json',
      '--tasks',
      tasks,
    ]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'succeeded',
      input: { name: 'Ada' },
      result: { message: 'Hello Ada' },
    });
  });

  test('exits with 3 when the task fails, and the document is still there', async () => {
    const words = [
      'run',
      'demo.flaky',
      '{"failures":9}',
      '--retry',
      '1',
      '--queue',
      'local',
      '--local',
      '--json',
      '--tasks',
      tasks,
    ];
    const { code, stdout, stderr } = await run(words);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'failed', attempt: 1 });
    expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'TASK_FAILED' } });
  });

  test('without a worker says what to type, and exits with 8 when its time is over', async () => {
    const { code, stderr } = await run(['run', 'demo.hello', '--queue', 'nobody', '--timeout', '2s', '--tasks', tasks]);
    expect(code).toBe(8);
    expect(stderr).toContain('taskflow worker start --queues nobody');
    expect(stderr).toContain('--local');
  });
});

describe('processes', () => {
  test('a server goes on in the background until it is stopped', async () => {
    const cwd = mkdtempSync(join(folder, 'server-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    const started = JSON.parse(
      (await run(['server', 'start', '--detach', '--port', '0', '--json'], { cwd })).stdout,
    ) as { pid: number; url: string };
    detached.add(started.pid);
    expect(JSON.parse((await run(['server', 'status', '--json'], { cwd })).stdout)).toMatchObject({
      running: true,
      pid: started.pid,
      url: started.url,
    });
    expect(await run(['server', 'start', '--port', '0'], { cwd })).toMatchObject({ code: 7 });
    expect(JSON.parse((await run(['server', 'stop', '--json'], { cwd })).stdout)).toMatchObject({
      stopped: true,
      pid: started.pid,
    });
    detached.delete(started.pid);
    expect(await run(['server', 'status', '--port', '9'], { cwd })).toMatchObject({ code: 6 });
  });

  test('up runs tasks that others enqueue, pauses, and drains on SIGTERM', async () => {
    const cwd = mkdtempSync(join(folder, 'up-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    const up = start(['up', '--port', '0', '--json', '--tasks', tasks], cwd);
    expect(await ready(up)).toMatchObject({ event: 'ready', tasks: expect.arrayContaining(['demo.hello']) });
    const result = await run(['run', 'demo.hello', '{"name":"Ada"}', '--json'], { cwd });
    expect(JSON.parse(result.stdout)).toMatchObject({ state: 'succeeded', result: { message: 'Hello Ada' } });
    expect((await run(['run', 'demo.hello', '{"name":7}'], { cwd })).code).toBe(2);
    expect(JSON.parse((await run(['queue', 'pause', 'default', '--json'], { cwd })).stdout)).toMatchObject({
      state: 'paused',
    });
    expect(JSON.parse((await run(['worker', 'list', '--json'], { cwd })).stdout)).toHaveLength(2);
    const end = exited(up);
    up.kill('SIGTERM');
    expect(await end).toBe(0);
  });

  test('a port in use is told with the next one to try', async () => {
    const up = start(['server', 'start', '--port', '0', '--json']);
    const { url } = await ready(up);
    const port = new URL(String(url)).port;
    const cwd = mkdtempSync(join(folder, 'port-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    const { code, stderr } = await run(['server', 'start', '--port', port], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`--port ${Number(port) + 1}`)]);
    const end = exited(up);
    up.kill('SIGINT');
    expect(await end).toBe(0);
  });
});

describe('the database', () => {
  test('is behind or current, and migrated', async () => {
    const cwd = mkdtempSync(join(folder, 'db-'));
    writeFileSync(join(cwd, 'package.json'), '{}');
    expect((await run(['db', 'status'], { cwd })).code).toBe(6);
    expect(JSON.parse((await run(['db', 'migrate', '--json'], { cwd })).stdout)).toMatchObject({
      applied: expect.any(Array),
    });
    expect(JSON.parse((await run(['db', 'status', '--json'], { cwd })).stdout)).toMatchObject({
      status: 'current',
      pending: [],
    });
  });
});
