/** The broker of the Postgres setup: a SqlBroker over one schema that other processes share. */

import { type Chance, systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import { migrate } from '../sql/migrate.ts';
import { createSqlBroker } from '../sql/sql-broker.ts';
import { createPostgresDriver, type PostgresDriver } from './driver.ts';
import { createPostgresJoin } from './join.ts';
import type { PostgresAddress } from './url.ts';

export interface PostgresOptions {
  readonly address: PostgresAddress;
  /** The schema with the tables: one of several systems in one database. */
  readonly namespace: string;
  readonly chance?: Chance;
  readonly clock?: Clock;
  /** The wall clock of a test instead of the server's. */
  readonly now?: () => number;
}

/** The broker, and the connections it uses, for the record over the same tables. Nothing is opened before `broker.open()`. */
export function createPostgresBroker(options: PostgresOptions): Broker & { readonly driver: PostgresDriver } {
  const { address, namespace, now, clock = systemClock, chance = systemChance } = options;
  const driver = createPostgresDriver({ address, namespace, clock, chance, ...(now && { now }) });
  const broker = createSqlBroker({
    driver,
    chance,
    kind: 'postgres',
    open: async () => {
      await driver.open();
      try {
        await migrate(driver, chance);
      } catch (error) {
        await driver.close();
        throw error;
      }
    },
    close: () => driver.close(),
    durability: driver.durability,
    join: createPostgresJoin({ masked: address.masked, namespace, now: now ?? null }),
  });
  return { ...broker, driver };
}
