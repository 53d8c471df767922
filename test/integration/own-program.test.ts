// Checks programs of users' own, as processes: they end by themselves, and a signal stops a worker without loss.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/broker/connect.ts';
import { parseFilter } from '../../src/core/filter-parse.ts';
import { createClient } from '../../src/index.ts';
import type * as tasks from './programs/tasks.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskflow-program-'));
const broker = `sqlite:${join(folder, 'tasks.db')}`;
const client = createClient<typeof tasks>({ broker });
let worker: ChildProcess;
let workerSaid = '';

function program(name: string): ChildProcess {
  const file = fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url));
  return spawn(process.execPath, [file], { cwd: folder, env: { ...process.env, TASKFLOW_BROKER: broker } });
}

/** What a process wrote, and how it ended. */
async function ended(child: ChildProcess): Promise<{ readonly said: string; readonly code: number | null }> {
  let said = '';
  child.stdout?.on('data', (text) => {
    said += text;
  });
  child.stderr?.on('data', (text) => {
    said += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { said: said.trim(), code };
}

beforeAll(() => {
  const defaults = { retry: { attempts: 9 }, timeout: '90s' };
  writeFileSync(join(folder, 'taskflow.config.json'), JSON.stringify({ defaults }));
  worker = program('work');
  worker.stdout?.on('data', (text) => {
    workerSaid += text;
  });
});

afterAll(async () => {
  worker.kill('SIGKILL');
  await client.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a program that enqueues ends by itself, and its task is done by the worker of another', async () => {
  const { said, code } = await ended(program('enqueue'));
  expect({ said, code }).toMatchObject({ code: 0, said: expect.stringMatching(/^[0-9A-Z]{26}$/) });
  expect(await client.handle(said).result({ timeout: '10s' })).toEqual({ twice: 42 });
});

test('the client by name learns from that worker how to enqueue', async () => {
  expect(await client.run('double', { n: 4 }, { wait: '10s' })).toEqual({ twice: 8 });
  await expect(client.enqueue('double', { n: 'x' as never })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

test('its tasks have the defaults of the project, where it enqueues and where it works', async () => {
  const store = connect(broker);
  await store.broker.open();
  const { tasks: stored } = await store.history.search(parseFilter('name:double'), { after: null, limit: 9 });
  const [worker] = await store.broker.getWorkers();
  await store.close();
  expect(stored.length).toBeGreaterThan(0);
  for (const rules of [...stored, ...(worker?.definitions ?? [])])
    expect(rules).toMatchObject({ timeoutMs: 90_000, policy: '{"attempts":9}' });
});

test('SIGTERM lets the worker end well', async () => {
  const end = new Promise((resolve) => worker.once('close', (code) => resolve(code)));
  worker.kill('SIGTERM');
  expect(await end).toBe(0);
  expect(workerSaid).toMatch(/\nstopped\n$/);
});
