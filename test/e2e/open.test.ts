/** What a store's file can be: made by ten processes at once, read-only, damaged, or something else altogether. */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededChance } from '../../src/core/chance.ts';
import { type Child, createScenario, nobody, type Said, type Scenario } from './processes.ts';

let scenario: Scenario;
beforeEach(() => {
  scenario = createScenario();
});
afterEach(() => scenario.end());

/** A closed store of 300 tasks. */
async function makeStore(): Promise<void> {
  const { file } = scenario;
  await scenario.start('producer.ts', { file, first: 0, count: 300 }).exited;
}

/** A store whose last process was killed: its log is still beside it. */
async function makeUncleanStore(): Promise<void> {
  const { file } = scenario;
  await makeStore();
  const worker = scenario.start('worker.ts', { file });
  await worker.heard('ready');
  await scenario.start('producer.ts', { file, first: 1_000, count: 20 }).exited;
  worker.send('SIGKILL');
  await worker.exited;
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
}

/** Ten processes that open the file at the same moment. */
async function openTogether(): Promise<readonly Said[]> {
  const { file } = scenario;
  const openers = Array.from({ length: 10 }, () => scenario.start('opener.ts', { file, waits: true }));
  await Promise.all(openers.map((opener) => opener.heard('ready')));
  for (const opener of openers) opener.tell('now');
  const opened = await Promise.all(openers.map((opener) => opener.heard('opened')));
  expect(await Promise.all(openers.map((opener) => opener.exited))).toEqual(Array(10).fill({ code: 0, signal: null }));
  return opened;
}

test('ten processes that open a new file at once make one store', async () => {
  const opened = await openTogether();
  expect(new Set(opened.map(({ incarnation }) => incarnation)).size).toBe(1);
});

test('ten processes that open a file at once after an unclean end find all of it', async () => {
  await makeUncleanStore();
  const opened = await openTogether();
  expect(opened.map(({ tasks }) => tasks)).toEqual(Array(10).fill(320));
});

/** What is in the file and beside it, but for the log's index, which is no data. */
function fingerprint(): string {
  const { file, folder } = scenario;
  if (!existsSync(file) || statSync(file).isDirectory())
    return readdirSync(folder)
      .filter((name) => !name.endsWith('.processes'))
      .join();
  const hash = createHash('sha256').update(readFileSync(file));
  if (existsSync(`${file}-wal`)) hash.update(readFileSync(`${file}-wal`));
  return hash.digest('hex');
}

function overwrite(from: number, length: number): void {
  const bytes = readFileSync(scenario.file);
  bytes.set(seededChance(from + 1).bytes(Math.min(length, bytes.length - from)), from);
  writeFileSync(scenario.file, bytes);
}

async function refusal(opener: Child): Promise<{ readonly code: number | null; readonly words: string }> {
  const { code } = await opener.exited;
  return { code, words: opener.complaints().trim() };
}

/** Opens it twice, since a first look may change what a second one finds. */
async function expectRefused(expected: RegExp, uid?: number): Promise<void> {
  const { file } = scenario;
  const before = fingerprint();
  for (let time = 1; time <= 2; time++) {
    const { code, words } = await refusal(scenario.start('opener.ts', { file }, uid === undefined ? {} : { uid }));
    expect(words).toMatch(expected);
    expect(words.split('\n')).toHaveLength(1);
    expect(words).toContain(file);
    expect(code).toBe(6);
    expect(fingerprint(), 'the file is as it was').toBe(before);
  }
}

test('a file that may not be written is refused', async () => {
  await makeStore();
  chmodSync(scenario.file, 0o444);
  await expectRefused(/^STORE_READ_ONLY: /, nobody);
});

test('a folder that may not be written is refused', async () => {
  await makeStore();
  chmodSync(scenario.file, 0o666);
  chmodSync(scenario.folder, 0o555);
  await expectRefused(/^STORE_READ_ONLY: /, nobody);
  chmodSync(scenario.folder, 0o755);
});

test('a folder in the place of the file is refused', async () => {
  mkdirSync(scenario.file);
  if (nobody !== undefined) chownSync(scenario.file, nobody, nobody);
  await expectRefused(/^STORE_READ_ONLY: .*(folder|directory)/, nobody);
});

test('a file in the place of the folder is refused', async () => {
  const { folder } = scenario;
  writeFileSync(join(folder, 'plain'), 'text');
  const file = join(folder, 'plain', 'store.db');
  const { code, words } = await refusal(scenario.start('opener.ts', { file }));
  expect(words).toMatch(/^STORE_READ_ONLY: .*plain/);
  expect(code).toBe(6);
});

test.for<readonly [sentence: string, content: string]>([
  ['a text', 'name,price\n'.repeat(500)],
  ['a short text', 'hello'],
  ['a picture', `\x89PNG\r\n\x1a\n${'\0'.repeat(8_000)}`],
])('%s in the place of the file is refused', async ([, content]) => {
  writeFileSync(scenario.file, content, 'latin1');
  await expectRefused(/^STORE_CORRUPT: .*not a SQLite database/);
});

test('a file of zeros is refused', async () => {
  writeFileSync(scenario.file, Buffer.alloc(8_192));
  await expectRefused(/^STORE_CORRUPT: /);
});

test.for<readonly [sentence: string, from: number, length: number]>([
  ['its whole header', 0, 100],
  ['its magic word', 0, 16],
  ['its page size', 16, 2],
  ['its first page after the header', 100, 3_996],
])('a file with random bytes for %s is refused', async ([, from, length]) => {
  await makeStore();
  overwrite(from, length);
  await expectRefused(/^STORE_CORRUPT: /);
});

test('a file with random bytes in its middle is refused when they are read', async () => {
  await makeStore();
  overwrite(16_384, 400_000);
  await expectRefused(/^STORE_CORRUPT: /);
});

test('a file with random bytes in its middle is refused at once after an unclean end', async () => {
  await makeUncleanStore();
  overwrite(16_384, 400_000);
  await expectRefused(/^STORE_CORRUPT: /);
});

test('a file that was cut short is refused', async () => {
  await makeStore();
  const { file } = scenario;
  writeFileSync(file, readFileSync(file).subarray(0, 20_000));
  await expectRefused(/^STORE_CORRUPT: /);
});
