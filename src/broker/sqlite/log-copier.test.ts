/** Tests of who copies the log of a SQLite file, and when. */

import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.ts';
import { systemChance } from '../../core/chance.ts';
import { systemClock } from '../../core/time.ts';
import { openConnection, tellsOfLog } from './connection.ts';
import { createSqliteDriver } from './driver.ts';
import { type CopierThread, createLogCopier } from './log-copier.ts';

const mebibyte = 1024 * 1024;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A thread that does nothing but note what it is told. */
class StillThread extends EventEmitter {
  readonly told: string[] = [];
  isReferenced = true;
  postMessage = (order: string): void => void this.told.push(order);
  ref(): void {
    this.isReferenced = true;
  }
  unref(): void {
    this.isReferenced = false;
  }
}

function world() {
  const threads: StillThread[] = [];
  const state = { elapsed: 0, uncopied: (5 * mebibyte) as number | null, canStart: true };
  const copier = createLogCopier({
    file: 'store.db',
    clock: { ...systemClock, elapsed: () => state.elapsed },
    uncopiedBytes: () => state.uncopied,
    startThread: () => {
      if (!state.canStart) throw new Error('no memory for a thread');
      const thread = new StillThread();
      threads.push(thread);
      return thread as unknown as CopierThread;
    },
  });
  const commitAt = (elapsed: number): readonly string[] => {
    state.elapsed = elapsed;
    copier.committed();
    return threads.flatMap(({ told }) => told);
  };
  return { threads, state, copier, commitAt };
}

test('a program that is soon over starts no thread', () => {
  const { threads, commitAt } = world();
  for (let ms = 0; ms < 1_000; ms += 10) commitAt(ms);
  expect(threads).toEqual([]);
});

test('what is long is copied, once at a time, by one thread that keeps nobody from ending', () => {
  const { threads, state, commitAt } = world();
  commitAt(0);
  expect(commitAt(1_000)).toEqual(['copy']);
  expect(threads[0]?.isReferenced).toBe(false);
  expect(commitAt(2_000)).toEqual(['copy']);
  threads[0]?.emit('message', 'copied');
  state.uncopied = mebibyte;
  expect(commitAt(3_000)).toEqual(['copy']);
  state.uncopied = 4 * mebibyte;
  // Looked at a moment ago.
  expect(commitAt(3_019)).toEqual(['copy']);
  expect(commitAt(3_020)).toEqual(['copy', 'copy']);
  expect(threads).toHaveLength(1);
});

test('where SQLite does not tell how much is copied, nobody asks again, and commits copy', () => {
  const { threads, state, commitAt } = world();
  state.uncopied = null;
  commitAt(0);
  commitAt(1_000);
  state.uncopied = 5 * mebibyte;
  commitAt(100_000);
  expect(threads).toEqual([]);
});

test('a look at the log copies nothing, and none is taken of a SQLite that would copy', () => {
  const versions = ['3.49.1', '3.50.4', '3.51.0', '3.53.4', '4.0.0', ''];
  expect(versions.map((version) => tellsOfLog(version))).toEqual([false, false, true, true, true, false]);
  const connection = openConnection(join(folder, 'store.db'), Date.now);
  connection.pragma('user_version = 7');
  const bytes = connection.uncopiedBytes();
  expect(connection.uncopiedBytes()).toBe(bytes);
  // By the one there is: this Node may have either.
  expect(bytes).toEqual(tellsOfLog() ? expect.toSatisfy((value: number) => value > 0) : null);
  connection.close();
});

test('a copy that failed, on a full disk, is tried again after a while and not at each commit', () => {
  const { threads, commitAt } = world();
  commitAt(0);
  commitAt(1_000);
  threads[0]?.emit('message', 'failed');
  expect(commitAt(10_999)).toEqual(['copy']);
  expect(commitAt(11_000)).toEqual(['copy', 'copy']);
});

test('a thread that could not be started, or ended, fails no commit and has a successor later', () => {
  const { threads, state, commitAt } = world();
  state.canStart = false;
  commitAt(0);
  expect(commitAt(1_000)).toEqual([]);
  state.canStart = true;
  expect(commitAt(10_999)).toEqual([]);
  expect(commitAt(11_000)).toEqual(['copy']);
  threads[0]?.emit('error', new Error('out of memory'));
  threads[0]?.emit('exit', 1);
  commitAt(20_999);
  expect(threads).toHaveLength(1);
  commitAt(21_000);
  expect(threads).toHaveLength(2);
});

test('who closes waits for the thread, and for none where there is none', async () => {
  const { threads, copier, commitAt } = world();
  await copier.close();
  commitAt(0);
  commitAt(1_000);
  let isClosed = false;
  const closing = copier.close().then(() => {
    isClosed = true;
  });
  expect(threads[0]).toMatchObject({ told: ['copy', 'close'], isReferenced: true });
  await Promise.resolve();
  expect(isClosed).toBe(false);
  threads[0]?.emit('exit', 0);
  await closing;
});

test('the log of a process that writes much is copied beside it, and is gone when it has closed', async () => {
  const file = join(folder, 'store.db');
  const began = systemClock.elapsed();
  // As if it wrote for a while already.
  const clock = { ...systemClock, elapsed: () => began + (systemClock.elapsed() - began) * 100 };
  const driver = createSqliteDriver({ file, now: Date.now, clock, chance: systemChance });
  await driver.open();
  await driver.transaction((tx) => tx.execute('CREATE TABLE t (a text)'));
  const large = 'x'.repeat(mebibyte);
  let written = 0;
  await waitFor(async () => {
    // Commits would copy it from 32 MB on: short of them only the thread does.
    const isShort = ++written < 24;
    await driver.transaction((tx) => tx.execute('INSERT INTO t VALUES ($1)', isShort ? large : 'x'));
    expect(statSync(file).size).toBeGreaterThan(6 * mebibyte);
  });
  await driver.close();
  expect(existsSync(`${file}-wal`)).toBe(false);
});
