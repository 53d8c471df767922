/** Checks which files are taken for tasks, how they load, and what a bad one does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'discovery-'));
});
afterEach(() => rm(root, { recursive: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
}

interface Answer {
  readonly tasks: readonly (readonly [name: string, file: string])[];
  readonly schedules: readonly (readonly [name: string, file: string])[];
  readonly failures: readonly { readonly code: string; readonly message: string }[];
  readonly files: readonly string[];
}

/** A process of its own: the test runner replaces `import()`, which then loads and fails differently. */
const script = `
  const { discoverTasks } = await import(${JSON.stringify(new URL('./discovery.ts', import.meta.url).href)});
  process.on('message', async (options) => {
    try {
      const { tasks, schedules, failures, files } = await discoverTasks(options);
      process.send({
        tasks: tasks.map(({ definition, file }) => [definition.name, file]),
        schedules: schedules.map(({ schedule, file }) => [schedule.name, file]),
        failures,
        files,
      });
    } catch (error) {
      process.send({ tasks: [], schedules: [], failures: [error], files: [] });
    }
  });
  process.send('ready');`;

let child: ChildProcess;
beforeAll(async () => {
  child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'json',
  });
  await once(child, 'message');
});
afterAll(() => void child.kill());

async function discover(folders?: readonly string[]): Promise<Answer> {
  child.send({ root, ...(folders === undefined ? {} : { folders }) });
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

const taskText = (name: string, exported = 'export const it'): string =>
  `${exported} = { [Symbol.for('taskflow.definition')]: { name: '${name}', run() {} } };\n`;

test('every exported task in every kind of file is found, in both folders', async () => {
  await write({
    'tasks/a.ts': `const n: number = 1;\n${taskText('a')}${taskText('a2', 'export const other')}`,
    'tasks/deep/b.mts': taskText('b'),
    'tasks/c.js': `exports.it = { [Symbol.for('taskflow.definition')]: { name: 'c', run() {} } };`,
    'tasks/d.mjs': `export default { [Symbol.for('taskflow.definition')]: { name: 'd', run() {} } };`,
    'src/tasks/e.cjs': `module.exports = { e: { [Symbol.for('taskflow.definition')]: { name: 'e', run() {} } } };`,
  });
  const { tasks, failures } = await discover();
  expect(failures).toEqual([]);
  expect(tasks).toEqual([
    ['a', 'tasks/a.ts'],
    ['a2', 'tasks/a.ts'],
    ['b', 'tasks/deep/b.mts'],
    ['c', 'tasks/c.js'],
    ['d', 'tasks/d.mjs'],
    ['e', 'src/tasks/e.cjs'],
  ]);
});

const scheduleText = (name: string): string =>
  `export const s = { [Symbol.for('taskflow.schedule')]: { name: '${name}', task: { name: 't' } } };\n`;

test('schedules are found in files of their own too, and no two of one name', async () => {
  await write({
    'tasks/a.mjs': scheduleText('nightly'),
    'tasks/again.mjs': `export { s } from './a.mjs';`,
    'tasks/b.mjs': scheduleText('twice'),
    'tasks/c.mjs': scheduleText('twice'),
  });
  const { schedules, failures } = await discover();
  expect(schedules).toEqual([['nightly', 'tasks/a.mjs']]);
  expect(failures).toMatchObject([
    { message: 'Two schedules are named "twice": of t in tasks/b.mjs and t in tasks/c.mjs.' },
  ]);
});

test('tests, declarations, dependencies, contracts and other exports are skipped', async () => {
  await write({
    'tasks/a.test.ts': taskText('test'),
    'tasks/a.d.ts': 'export declare const a: number;',
    'tasks/node_modules/x/index.js': taskText('dependency'),
    'tasks/.hidden/h.mjs': taskText('hidden'),
    'tasks/notes.md': 'words',
    'tasks/plain.mjs': 'export const a = 1; export const b = null; export function c() {}',
    'tasks/contract.mjs': `export const it = { [Symbol.for('taskflow.definition')]: { name: 'contract', run: null } };`,
  });
  const { tasks, failures, files } = await discover();
  expect([tasks, failures]).toEqual([[], []]);
  expect(files).toEqual(['tasks/contract.mjs', 'tasks/plain.mjs']);
});

test('TypeScript that Node cannot strip is transformed', async () => {
  await write({
    'tasks/enum.ts': `export enum Color { Red }\n${taskText('enum')}`,
    'tasks/extensionless.ts': `import { name } from './name';\nexport const it = { [Symbol.for('taskflow.definition')]: { name, run() {} } };`,
    'tasks/name.ts': `export const name: string = 'extensionless';`,
  });
  const { tasks, failures } = await discover();
  expect(failures).toEqual([]);
  expect(tasks.map(([name]) => name)).toEqual(['enum', 'extensionless']);
});

test.each(['bad.ts', 'bad.mjs', 'bad.js'])(
  'a syntax error in %s comes with the lines around it, and the rest loads',
  async (file) => {
    await write({
      [`tasks/${file}`]: `export const a = 1;\nexport const b = ;\nexport const c = 3;\n`,
      'tasks/good.mjs': taskText('good'),
    });
    const { tasks, failures } = await discover();
    expect(tasks.map(([name]) => name)).toEqual(['good']);
    expect(failures).toHaveLength(1);
    expect(failures[0]?.code).toBe('TASK_FILE_FAILED');
    expect(failures[0]?.message).toContain(`The task file tasks/${file} could not be loaded: SyntaxError`);
    expect(failures[0]?.message).toContain('> 2 | export const b = ;');
  },
);

test('a package that is missing is named with what installs it', async () => {
  await write({ 'tasks/needs.mjs': `import 'not-installed-here';\n` });
  const { failures } = await discover();
  expect(failures[0]?.message).toContain('needs.mjs. Install it: npm install not-installed-here');
});

test('a file that throws while it loads says where', async () => {
  await write({
    'tasks/throws.mjs': `const a = 1;\nthrow new Error('no database');\n`,
    'tasks/odd.mjs': 'throw null;',
  });
  const { failures } = await discover();
  expect(failures.map((failure) => failure.message).join('\n')).toContain('it threw null');
  expect(failures.map((failure) => failure.message).join('\n')).toContain("> 2 | throw new Error('no database');");
});

test('a missing import is named', async () => {
  await write({ 'tasks/a.ts': `import { x } from './gone.ts';\nexport const y = x;` });
  const { failures } = await discover();
  expect(failures[0]?.message).toContain('gone.ts');
});

test('two tasks with one name are both refused, with both files', async () => {
  await write({
    'tasks/a.mjs': taskText('same'),
    'tasks/b.mjs': taskText('same'),
    'tasks/c.mjs': `export * from './d.mjs';`,
    'tasks/d.mjs': taskText('once'),
  });
  const { tasks, failures } = await discover();
  expect(tasks.map(([name]) => name)).toEqual(['once']);
  expect(failures.map((failure) => failure.message)).toEqual([
    'Two tasks are named "same": tasks/a.mjs and tasks/b.mjs.',
  ]);
});

test('no folder is fine by default, and a mistake when it was asked for', async () => {
  expect(await discover()).toEqual({ tasks: [], schedules: [], failures: [], files: [] });
  expect((await discover(['nowhere'])).failures).toMatchObject([{ code: 'INVALID_OPTION' }]);
});

test('a single file may be named', async () => {
  await write({ 'jobs.mjs': taskText('job') });
  expect((await discover(['jobs.mjs'])).tasks).toEqual([['job', 'jobs.mjs']]);
});
