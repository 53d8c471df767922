/** The embedded setup under torture: a file of its own. */

import { join } from 'node:path';
import { createSqliteStore } from '../broker/connect.ts';
import { createSqliteDriver } from '../broker/sqlite/driver.ts';
import { systemChance } from '../core/chance.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import type { Ground } from './ground.ts';
import { checkIndexes, heldKeys, showRows } from './remains.ts';

export async function openSqliteGround(folder: string): Promise<Ground> {
  const file = join(folder, 'store.db');
  const store = createSqliteStore({ file });
  await store.broker.open();
  const driver = createSqliteDriver({ file, now: clock.now, clock, chance: systemChance });
  await driver.open();
  // A process that is stopped within a write holds the lock of all.
  const alone = (work: () => Promise<void>): Promise<void> => driver.transaction(work);
  return {
    address: { broker: `sqlite:${file}`, record: null, namespace: null },
    store,
    durability: driver.durability().detail,
    events: {},
    alone,
    async strike(kind, ms) {
      if (kind !== 'lockStore') return false;
      await alone(() => sleep(clock, ms));
      return true;
    },
    heal: async () => {},
    isRecorded: async () => true,
    recordRest: async () => {},
    showRows: (judge) => showRows(driver, judge),
    heldKeys: () => heldKeys(driver),
    checkIndexes: (judge) => checkIndexes(driver, judge),
    async checkWhole(judge) {
      // Reads the whole file: whether the database's own indexes agree with its tables.
      const rows = await driver.read((tx) => tx.execute<[text: string]>('PRAGMA integrity_check(10)'));
      for (const [text] of rows) if (text !== 'ok') judge.tell('S21', null, `the file: ${text}`);
    },
    async close() {
      await driver.close();
      await store.close();
    },
  };
}
