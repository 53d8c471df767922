/**
 * Isolated tasks through the built command line: every kind of task file, the same store, and an end without remains. The project has
 * installed nothing: task files import this package and zod as the program brings them.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { waitFor } from '../support/wait-for.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'bin/taskflow.js');
const folder = mkdtempSync(join(tmpdir(), 'taskflow-isolate-'));
const store = ['--broker', 'sqlite:./elsewhere.db'];
let worker: ChildProcess | null = null;

const body = `input: z.object({}), isolate: 'process', run: () => ({ apart: process.env.MARK_OF_TEST === 'worker', pid: process.pid })`;

beforeAll(() => {
  mkdirSync(join(folder, 'tasks'));
  const files = {
    'package.json': '{}',
    'tasks/plain.mjs': `import { task } from 'taskflowjs'; import { z } from 'zod'; export const it = task('mjs', { ${body} });`,
    'tasks/old.cjs': `const { task } = require('taskflowjs'); const { z } = require('zod'); module.exports = { it: task('cjs', { ${body} }) };`,
    'tasks/typed.ts': `import { task } from 'taskflowjs'; import { z } from 'zod'; const n: number = 1; export const it = task('ts', { ${body} }); export default n;`,
    // Node cannot strip an enum: this one is transformed.
    'tasks/enums.ts': `import { task } from 'taskflowjs'; import { z } from 'zod'; export enum Kind { A } export const it = task('enum', { ${body} });`,
    'tasks/chain.mjs': `import { task } from 'taskflowjs'; import { z } from 'zod'; import { it } from './plain.mjs';
      export const chain = task('chain', { input: z.object({}), isolate: 'process', run: async () => ({ id: (await it.enqueue({})).id }) });`,
    'tasks/flow.mjs': `import { flow, task } from 'taskflowjs'; import { z } from 'zod';
      const part = task('part', { input: z.object({}), isolate: 'process', run: () => process.pid });
      const maker = task('maker', { input: z.object({}), isolate: 'process', run: async (_, ctx) => {
        const first = await ctx.spawn(part, {});
        await ctx.spawn(sum, {}, { dependsOn: [first] });
        return ctx.parents.length;
      } });
      const sum = task('sum', { input: z.object({}), isolate: 'process', run: (_, ctx) => ctx.resultsOf(part).length });
      export const apart = flow('apart', { input: z.object({}) }).step('maker', maker).from(() => ({}));`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
});

afterAll(() => {
  worker?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

function run(...words: readonly string[]) {
  const env = { ...process.env, MARK_OF_TEST: 'worker', NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words, ...store, '--json'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { status, stderr, document: stdout.trim() === '' ? null : (JSON.parse(stdout) as Record<string, unknown>) };
}

test.each(['mjs', 'cjs', 'ts', 'enum'])('a task of a file of this kind runs in a process of its own: %s', (name) => {
  const { status, document, stderr } = run('run', '--local', name);
  expect({ status, stderr, document }).toMatchObject({ status: 0, document: { result: { apart: true } } });
});

test('what an isolated task enqueues is in the store of its worker', () => {
  const { document } = run('run', '--local', 'chain');
  const { id } = (document as { readonly result: { readonly id: string } }).result;
  expect(run('task', 'get', id)).toMatchObject({ status: 0, document: { name: 'mjs' } });
});

test('a flow runs steps in processes of their own, and what they bring along', async () => {
  expect(run('run', '--local', 'apart')).toMatchObject({ status: 0, document: { result: { maker: 0 } } });
  expect(run('task', 'list', '--filter', 'name:sum flow:0').document).toMatchObject([{ name: 'sum' }]);
});

test('Ctrl-C is for the worker to decide about: what runs apart ends in peace', async () => {
  writeFileSync(
    join(folder, 'tasks/slow.mjs'),
    `import { task } from 'taskflowjs'; import { z } from 'zod';
     export const slow = task('slow', { input: z.object({}), isolate: 'process', run: () => new Promise((end) => setTimeout(() => end('in peace'), 1_500)) });`,
  );
  const { document } = run('task', 'run', 'slow');
  const { id } = document as { readonly id: string };
  const { broker } = createSqliteStore({ file: join(folder, 'elsewhere.db') });
  await broker.open();
  onTestFinished(() => broker.close());
  worker = spawn(process.execPath, [program, 'worker', 'start', ...store, '--json'], { cwd: folder, detached: true });
  const said = await new Promise<string>((resolve) => worker?.stdout?.once('data', (chunk) => resolve(String(chunk))));
  expect(said).toContain('ready');
  // Not by the command: whoever starts one after the other takes the processors from the worker that is to begin.
  await waitFor(async () => expect((await broker.getTasks([id]))[0]?.startedAt).toEqual(expect.any(Number)), {
    timeout: 90_000,
  });
  // As a terminal does: to the whole group.
  process.kill(-(worker.pid ?? 0), 'SIGINT');
  const code = await new Promise((resolve) => worker?.once('exit', resolve));
  expect(code).toBe(0);
  expect(run('task', 'get', id).document).toMatchObject({ state: 'succeeded', result: 'in peace' });
});
