/** Empty databases for records: migrated, on a clock of the test. */

import { randomBytes } from 'node:crypto';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import type { SqlDriver } from '../../src/broker/sql/driver.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { createSqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { seededChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';

export type CreateDatabase = (clock: { readonly now: number }) => Promise<{
  readonly driver: SqlDriver;
  close(): Promise<void>;
}>;

export const sqliteRecord: CreateDatabase = async (clock) => {
  const chance = seededChance(3);
  const driver = createSqliteDriver({ file: ':memory:', now: () => clock.now, clock: systemClock, chance });
  await driver.open();
  await migrate(driver, chance);
  return { driver, close: async () => driver.close() };
};

/** Each in a schema of its own of this database. */
export function postgresRecords(url: string): CreateDatabase {
  return async (clock) => {
    const chance = seededChance(3);
    const address = { ...readPostgresUrl(url), pool: 3 };
    const namespace = `record"$& ${randomBytes(6).toString('hex')}`;
    const driver = createPostgresDriver({ address, namespace, now: () => clock.now, clock: systemClock, chance });
    await driver.open();
    await migrate(driver, chance);
    return { driver, close: () => driver.close() };
  };
}
