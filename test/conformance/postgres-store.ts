/** The Postgres store as a store under test: a schema that nobody else has, and a second look at it through another connection. */

import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import { systemClock } from '../../src/core/time.ts';
import { lookWith } from './sql-contents.ts';
import type { CreateStore } from './store.ts';

const tablesOf = statement<[table: string]>(
  'tables_of',
  () => "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migrations' AND tablename <> 'meta'",
);

/** Makes stores in this database, which others may use too. */
export function postgresStores(url: string): CreateStore {
  const address = { ...readPostgresUrl(url), pool: 4 };
  // Making the tables of a store takes a hundred times as long as emptying them.
  const empty: string[] = [];
  return async ({ now, chance }) => {
    // What means something in an identifier is part of a name all the same.
    const namespace = empty.pop() ?? `case"$& ${randomBytes(6).toString('hex')}`;
    const driver = createPostgresDriver({ address, namespace, now, chance, clock: systemClock });
    let opening: Promise<void> | null = null;
    const look = async () => {
      opening ??= driver.open();
      await opening;
      return driver;
    };
    return {
      connect: async () => {
        const broker = createPostgresBroker({ address, namespace, now, chance });
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
        const tables = await (await look()).readOne(tablesOf, namespace);
        await driver.transaction(async (tx) => {
          for (const [table] of tables) await tx.execute(`DELETE FROM ${table}`);
        });
        empty.push(namespace);
        await driver.close();
      },
    };
  };
}
