/** The embedded setup: broker and record in one SQLite file. */

import { type Chance, systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import { migrate } from '../sql/migrate.ts';
import { createSqlBroker } from '../sql/sql-broker.ts';
import { createSqliteDriver } from './driver.ts';

export interface SqliteStoreOptions {
  /** Path of the file, or `:memory:` for a private store that dies with its connection. */
  readonly file: string;
  /** Wall clock, milliseconds since the epoch; the store's clock does not follow it back. */
  readonly now?: () => number;
  readonly chance?: Chance;
  readonly clock?: Clock;
  /** How long a call waits for another process's lock before STORE_LOCKED; 10 s without it. */
  readonly lockedAfterMs?: number;
}

export function createSqliteBroker(options: SqliteStoreOptions): Broker {
  const clock = options.clock ?? systemClock;
  const chance = options.chance ?? systemChance;
  const { file, lockedAfterMs } = options;
  const driver = createSqliteDriver({ file, clock, chance, now: options.now ?? clock.now, ...(lockedAfterMs === undefined ? {} : { lockedAfterMs }) });
  return createSqlBroker({
    driver,
    chance,
    kind: 'sqlite',
    open: async () => {
      await driver.open();
      try {
        await migrate(driver, chance);
      } catch (error) {
        driver.close();
        throw error;
      }
    },
    close: async () => driver.close(),
    durability: driver.durability,
  });
}
