/** The Postgres store as a store under test: a schema that nobody else has, and a second look at it through another connection. */

import { Client } from 'pg';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { systemClock } from '../../src/core/time.ts';
import { createPlaces } from '../support/postgres-places.ts';
import { lookWith } from './sql-contents.ts';
import type { CreateStore } from './store.ts';

/** Makes stores in this database, which others may use too. */
export function postgresStores(url: string): CreateStore {
  const places = createPlaces(url);
  return async ({ now, chance }) => {
    const place = places.take();
    const driver = createPostgresDriver({ ...place, now, chance, clock: systemClock });
    let opening: Promise<void> | null = null;
    const look = async () => {
      opening ??= driver.open();
      await opening;
      return driver;
    };
    return {
      connect: async () => {
        const broker = createPostgresBroker({ ...place, now, chance });
        await broker.open();
        return broker;
      },
      ...lookWith(look),
      begin: async () => {
        const tx = new Client({ connectionString: url });
        await tx.connect();
        await tx.query('BEGIN');
        const end = async (how: string) => {
          await tx.query(how);
          await tx.end();
        };
        return { tx, isAlone: false, commit: () => end('COMMIT'), rollback: () => end('ROLLBACK') };
      },
      dispose: async () => {
        await driver.close();
        await places.giveBack(place);
      },
    };
  };
}
