/** Several processes on one SQLite file: setting it up at once, and noticing what another one commits. */

import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import { createSqliteStore } from '../../src/broker/connect.ts';
import { checkStatus, migrate, migrationStatus } from '../../src/broker/sql/migrate.ts';
import { migrations } from '../../src/broker/sql/migrations/index.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { newTask, sampleId } from '../conformance/samples.ts';
import { readSchema } from './sqlite-schema.ts';

const child = join(import.meta.dirname, 'sqlite-child.ts');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-processes-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Opens the file in a new process; answers its exit code and the incarnation it saw. */
async function openElsewhere(file: string): Promise<readonly [code: number, output: string]> {
  const opened = spawn(process.execPath, [child, 'open', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  const parts: string[] = [];
  opened.stdout.on('data', (part: Buffer) => parts.push(String(part)));
  opened.stderr.on('data', (part: Buffer) => parts.push(String(part)));
  const [code] = (await once(opened, 'close')) as [number];
  return [code, parts.join('')];
}

test('two processes that set up one file at once both succeed, twenty times', { timeout: 300_000 }, async () => {
  for (let round = 0; round < 20; round += 1) {
    const file = join(folder, `${round}.db`);
    const [left, right] = await Promise.all([openElsewhere(file), openElsewhere(file)]);
    expect([left[0], right[0]], `${left[1]} ${right[1]}`).toEqual([0, 0]);
    expect(left[1]).toBe(right[1]);
    expect(left[1]).toMatch(/^[0-9a-f]{32}$/);
  }
});

test('work that another process enqueues is noticed in a few milliseconds', async () => {
  const file = join(folder, 'watched.db');
  const store = createSqliteStore({ file });
  await store.broker.open();
  const heard: { readonly signal: Signal; readonly at: number }[] = [];
  store.broker.subscribe((signal) => heard.push({ signal, at: performance.timeOrigin + performance.now() }));
  const other = fork(child, ['enqueue', file]);
  await once(other, 'message');
  const delays: number[] = [];
  for (let round = 0; round < 30; round += 1) delays.push(await noticeOf(other, heard));
  other.send('end');
  await once(other, 'exit');
  await store.close();
  delays.sort((left, right) => left - right);
  // The poll would take up to a second. The figure itself is measured in bench/, on a quiet machine.
  expect(delays[15]).toBeLessThan(100);
});

test('a task that another connection schedules is told with the time to it', async () => {
  const file = join(folder, 'scheduled.db');
  const [store, other] = [createSqliteStore({ file }), createSqliteStore({ file })];
  await store.broker.open();
  await other.broker.open();
  const heard: Signal[] = [];
  store.broker.subscribe((signal) => heard.push(signal));
  await other.broker.enqueue([newTask(sampleId(1), { delayMs: 90_000 }), newTask(sampleId(2), { delayMs: 60_000 })]);
  const due = (): number => heard.reduce((first, one) => (one.kind === 'due' ? one.inMs : first), 0);
  await expect.poll(due, { interval: 1 }).toBeGreaterThan(50_000);
  expect(due()).toBeLessThanOrEqual(60_000);
  await other.close();
  await store.close();
});

test('a task whose parent failed elsewhere is told as overdue', async () => {
  const file = join(folder, 'overdue.db');
  const [store, other] = [createSqliteStore({ file }), createSqliteStore({ file })];
  await store.broker.open();
  await other.broker.open();
  const parent = newTask(sampleId(1));
  await other.broker.enqueue([parent, newTask(sampleId(2), { dependsOn: [{ taskId: parent.id, onFailure: 'fail' }] })]);
  const heard: Signal[] = [];
  store.broker.subscribe((signal) => heard.push(signal));
  await other.broker.cancel({ taskIds: [parent.id], reason: null });
  await expect.poll(() => heard, { interval: 1 }).toContainEqual({ kind: 'overdue' });
  await other.close();
  await store.close();
});

/** Milliseconds from the commit elsewhere to the signal here. */
async function noticeOf(
  other: ChildProcess,
  heard: { readonly signal: Signal; readonly at: number }[],
): Promise<number> {
  heard.length = 0;
  other.send('one');
  const [{ at }] = (await once(other, 'message')) as [{ readonly at: number }];
  await expect.poll(() => heard.length, { interval: 1 }).toBeGreaterThan(0);
  expect(heard[0]?.signal).toEqual({ kind: 'work', queues: ['watched'] });
  return (heard[0]?.at ?? 0) - at;
}

test('migrating again does nothing, and a database of a newer program is refused', async () => {
  const driver = createSqliteDriver({
    file: join(folder, 'a.db'),
    now: systemClock.now,
    clock: systemClock,
    chance: systemChance,
  });
  await driver.open();
  const names = migrations.map(({ name }) => name);
  expect((await migrationStatus(driver)).pending).toEqual(names);
  expect(await migrate(driver, systemChance)).toEqual(names);
  expect(await migrate(driver, systemChance)).toEqual([]);
  const next = { name: '9999_next', up: () => ['CREATE TABLE next (id text)'] };
  const known = await migrationStatus(driver);
  expect(() => checkStatus(known)).not.toThrow();
  expect(await migrate(driver, systemChance, [...migrations, next])).toEqual(['9999_next']);
  await expect(migrate(driver, systemChance)).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
  const newer = await migrationStatus(driver);
  expect(() => checkStatus(newer)).toThrow(expect.objectContaining({ code: 'STORE_TOO_NEW' }));
  await driver.close();
});

test('a migration that fails half way leaves nothing', async () => {
  const driver = createSqliteDriver({
    file: join(folder, 'a.db'),
    now: systemClock.now,
    clock: systemClock,
    chance: systemChance,
  });
  await driver.open();
  const broken = { name: '0001_broken', up: () => ['CREATE TABLE half (id text)', 'CREATE TABLE half (id text)'] };
  await expect(migrate(driver, systemChance, [broken])).rejects.toThrow();
  expect(await driver.read((tx) => driver.hasTable(tx, 'half'))).toBe(false);
  await driver.close();
});

test('the schema that the migrations make is the one that is written down', async () => {
  const written = readFileSync(join(import.meta.dirname, '../../src/broker/sql/schema.sql'), 'utf8');
  expect(await readSchema()).toBe(written);
});
