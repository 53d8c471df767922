/** Checks which changes of files are noticed, in real folders, the ways in which editors and tools make them. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../test/e2e/processes.ts';
import { sleep, systemClock } from '../core/time.ts';
import { type FileWatch, watchFiles } from './watch-files.ts';

let root: string;
let told: string[][];
let watch: FileWatch;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'taskflow-watch-'));
  told = [];
  mkdirSync(join(root, 'tasks', 'deep'), { recursive: true });
  writeFileSync(join(root, 'tasks', 'a.ts'), '1');
  watch = watchFiles({
    folders: [join(root, 'tasks'), join(root, 'src', 'tasks')],
    clock: systemClock,
    onChange: (files) => told.push(files.map((file) => basename(file))),
  });
});
afterEach(() => {
  watch.close();
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}

async function hears(...names: readonly string[]): Promise<void> {
  const all = (): string[] => told.flat();
  await until(`${names.join(' and ')} is told`, () => names.every((name) => all().includes(name)), {
    facts: () => told,
  });
}

test('a changed, a new and a removed file are told', async () => {
  write('tasks/a.ts', '22');
  write('tasks/deep/b.ts', '1');
  await hears('a.ts', 'b.ts');
  told.length = 0;
  rmSync(join(root, 'tasks', 'a.ts'));
  await hears('a.ts');
});

test('a file that an editor replaced is noticed again', async () => {
  for (let round = 1; round <= 3; round++) {
    write('tasks/a.ts.new', 'x'.repeat(round + 5));
    renameSync(join(root, 'tasks', 'a.ts.new'), join(root, 'tasks', 'a.ts'));
    await hears('a.ts');
    told.length = 0;
  }
});

test('many files that change together are one change', async () => {
  for (let index = 0; index < 20; index++) write(`tasks/deep/f${index}.ts`, '1');
  await hears('f0.ts', 'f19.ts');
  expect(told).toHaveLength(1);
});

test('a folder that did not exist is noticed with what is in it, and what changes there later', async () => {
  mkdirSync(join(root, 'src', 'tasks'), { recursive: true });
  write('src/tasks/first.ts', '1');
  await until('it is told', () => told.length > 0);
  told.length = 0;
  write('src/tasks/second.ts', '1');
  await hears('second.ts');
  mkdirSync(join(root, 'src', 'tasks', 'new'));
  await sleep(systemClock, 50);
  write('src/tasks/new/third.ts', '1');
  await hears('third.ts');
});

test('what tasks import from elsewhere is noticed when it was named', async () => {
  mkdirSync(join(root, 'lib'));
  write('lib/mail.ts', '1');
  watch.add([join(root, 'lib', 'mail.ts')]);
  write('lib/mail.ts', '22');
  await hears('mail.ts');
});

test('beside the folders only what is imported, or new code next to it, is a change: a task may write files', async () => {
  mkdirSync(join(root, 'lib'));
  for (const name of ['lib/mail.ts', 'lib/words.json', 'own.ts']) write(name, '1');
  watch.add([join(root, 'lib', 'mail.ts'), join(root, 'lib', 'words.json')]);
  for (const name of ['report.json', 'script.ts', 'lib/report.json']) write(name, '1');
  await sleep(systemClock, 300);
  expect(told).toEqual([]);
  write('lib/words.json', '22');
  write('lib/new.ts', '1');
  await hears('words.json', 'new.ts');
  watch.add([join(root, 'own.ts')]);
  write('own.ts', '22');
  await hears('own.ts');
});

test('what is no code, hidden or of a package, and a file that was only touched, is no change', async () => {
  mkdirSync(join(root, 'tasks', 'node_modules'));
  write('tasks/notes.md', '1');
  write('tasks/.a.ts.swp', '1');
  write('tasks/node_modules/x.js', '1');
  write('tasks/a.ts~', '1');
  await sleep(systemClock, 300);
  expect(told).toEqual([]);
  write('tasks/a.ts', '22');
  await hears('a.ts');
});

test('a file whose content was written again without a change of time is told once', async () => {
  write('tasks/a.ts', '22');
  const at = new Date(1_700_000_000_000);
  utimesSync(join(root, 'tasks', 'a.ts'), at, at);
  await hears('a.ts');
  told.length = 0;
  utimesSync(join(root, 'tasks', 'a.ts'), at, at);
  await sleep(systemClock, 300);
  expect(told).toEqual([]);
});
