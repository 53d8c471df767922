/** Tests of the SQLite driver's waiting for other processes. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import { createSqliteDriver } from './driver.ts';
import { translate } from './errors.ts';
import { createSqliteBroker } from './store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-driver-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Time passes only while somebody waits: by as much as is waited for. */
function createWaitingClock(): Clock {
  let elapsed = 0;
  return {
    now: () => 1_700_000_000_000 + elapsed,
    elapsed: () => elapsed,
    schedule(delayMs, callback) {
      setImmediate(() => {
        elapsed += delayMs;
        callback();
      });
      return () => undefined;
    },
  };
}

test('calls that wait behind one another for a foreign lock give up together', async () => {
  const file = join(folder, 'store.db');
  const clock = createWaitingClock();
  const driver = createSqliteDriver({ file, now: clock.now, clock, chance: systemChance, lockedAfterMs: 100 });
  await driver.open();
  const alien = new DatabaseSync(file);
  alien.exec('BEGIN IMMEDIATE');

  const calls = Array.from({ length: 10 }, () => driver.transaction(async () => 'done'));
  const ends = await Promise.allSettled(calls);

  expect(ends.map((end) => end.status === 'rejected' && end.reason.code)).toEqual(Array(10).fill('STORE_LOCKED'));
  // Each of them for itself would make it a thousand. Each still gives the event loop back before it gives up.
  expect(clock.elapsed()).toBeLessThan(300);
  alien.exec('COMMIT');
  expect(await driver.transaction(async () => 'done')).toBe('done');
  alien.close();
  await driver.close();
});

test('a process that is stopped while it waits for a lock tries again when it goes on', async () => {
  const file = join(folder, 'store.db');
  const alien = new DatabaseSync(file);
  const waiting = createWaitingClock();
  let [stoppedMs, waits] = [0, 0];
  const clock: Clock = {
    ...waiting,
    elapsed: () => waiting.elapsed() + stoppedMs,
    schedule(delayMs, callback) {
      if (++waits === 3) {
        stoppedMs = 30_000;
        alien.exec('COMMIT');
      }
      return waiting.schedule(delayMs, callback);
    },
  };
  const driver = createSqliteDriver({ file, now: clock.now, clock, chance: systemChance });
  await driver.open();
  alien.exec('BEGIN IMMEDIATE');
  expect(await driver.transaction(async () => 'done')).toBe('done');
  expect(waits).toBe(3);
  alien.close();
  await driver.close();
});

test('a file that was removed or replaced under a running process accepts nothing more', async () => {
  const file = join(folder, 'store.db');
  let elapsed = 0;
  const clock: Clock = { ...createWaitingClock(), elapsed: () => elapsed };
  const driver = createSqliteDriver({ file, now: clock.now, clock, chance: systemChance });
  await driver.open();
  expect(await driver.transaction(async () => 'done')).toBe('done');

  for (const name of ['store.db', 'store.db-wal', 'store.db-shm']) rmSync(join(folder, name));
  elapsed += 1_000;
  const refused = { code: 'STORE_UNREACHABLE', message: expect.stringContaining(`${file} was removed or replaced`) };
  await expect(driver.transaction(async () => 'done')).rejects.toMatchObject(refused);
  await expect(driver.read(async () => 'done')).rejects.toMatchObject(refused);

  new DatabaseSync(file).close();
  await expect(driver.transaction(async () => 'done')).rejects.toMatchObject(refused);
  await driver.close();
});

test('a log without its file belongs to nothing: a new store takes its place', async () => {
  const file = join(folder, 'store.db');
  writeFileSync(`${file}-wal`, 'what is left of a removed store');
  const driver = createSqliteDriver({ file, now: Date.now, clock: systemClock, chance: systemChance });
  await driver.open();
  expect(await driver.transaction(async () => 'done')).toBe('done');
  await driver.close();
});

test('a disk without room for the index of the log is told from one that fails', () => {
  const failed = Object.assign(new Error('disk I/O error'), { errcode: 4874 });
  expect(translate(failed, join(folder, 'store.db'))).toMatchObject({ code: 'STORE_UNREACHABLE' });
  // It never has room.
  expect(translate(failed, '/proc/store.db')).toMatchObject({ code: 'STORE_FULL' });
});

test('a folder one may not look into is named as such', () => {
  const refused = Object.assign(new Error("EACCES: permission denied, stat '/x/store.db-wal'"), { code: 'EACCES' });
  expect(translate(refused, '/x/store.db')).toMatchObject({ code: 'STORE_READ_ONLY', exitCode: 6 });
});

test('the database of another program is left as it is', async () => {
  const file = join(folder, 'store.db');
  const other = new DatabaseSync(file);
  other.exec('CREATE TABLE tasks (title text)');
  const broker = createSqliteBroker({ file });
  await expect(broker.open()).rejects.toMatchObject({ code: 'STORE_FOREIGN', exitCode: 6 });
  expect(other.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'tasks' }]);
  other.close();
});

test('a new file gets the pages that are asked for, and keeps them', async () => {
  const file = join(folder, 'store.db');
  for (const pageBytes of [16_384, 4_096]) {
    const driver = createSqliteDriver({ file, now: Date.now, clock: systemClock, chance: systemChance, pageBytes });
    await driver.open();
    await driver.transaction((tx) => tx.execute('CREATE TABLE IF NOT EXISTS t (a text)'));
    await driver.close();
    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA page_size').get()).toEqual({ page_size: 16_384 });
    database.close();
  }
});
