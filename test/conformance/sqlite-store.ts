/** The SQLite store as a store under test: a file of its own, and a second look at it through another connection. */

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { DatabaseSync } from 'node:sqlite';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { createSqliteBroker } from '../../src/broker/sqlite/store.ts';
import { once } from '../../src/core/once.ts';
import { systemClock } from '../../src/core/time.ts';
import { lookWith } from './sql-contents.ts';
import type { CreateStore } from './store.ts';

/** In memory where the system has such a place: on a disk four fifths of the suite's time is spent waiting for it. */
const root = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

const newFolder = (): string => mkdtempSync(join(root, 'taskflow-conformance-'));

/** A file that is set up, for every store to begin as a copy of: to set one up takes longer than most cases. */
const template = once(async () => {
  const folder = newFolder();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'template.db');
  const broker = createSqliteBroker({ file });
  await broker.open();
  await broker.close();
  return file;
});

export const createSqliteStore: CreateStore = async ({ now, chance }) => {
  const folder = newFolder();
  const file = join(folder, 'store.db');
  copyFileSync(await template(), file);
  const driver = createSqliteDriver({ file, now, chance, clock: systemClock });
  let looked = false;
  const look = async () => {
    if (!looked) await driver.open();
    looked = true;
    return driver;
  };
  return {
    connect: async () => {
      const broker = createSqliteBroker({ file, now, chance });
      await broker.open();
      return broker;
    },
    ...lookWith(look),
    begin: async () => {
      const tx = new DatabaseSync(file);
      tx.exec('BEGIN IMMEDIATE');
      const end = async (how: string) => {
        tx.exec(how);
        tx.close();
      };
      return { tx, isAlone: true, commit: () => end('COMMIT'), rollback: () => end('ROLLBACK') };
    },
    dispose: async () => {
      await driver.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
