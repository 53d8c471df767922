/** Tests of the SQLite driver's waiting for other processes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemChance } from '../../core/chance.ts';
import type { Clock } from '../../core/time.ts';
import { createSqliteDriver } from './driver.ts';

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
  driver.close();
});
