/** The Postgres store as a store under test: a schema that nobody else has, and a second look at it through another connection. */

import { randomBytes } from 'node:crypto';
import { Client, type Pool } from 'pg';
import { createPool, createPostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { type Statement, statement } from '../../src/broker/sql/driver.ts';
import { systemClock } from '../../src/core/time.ts';
import { lookWith } from './sql-contents.ts';
import type { CreateStore } from './store.ts';

const tablesOf = statement<[table: string]>(
  'tables_of',
  () => "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'migrations' AND tablename <> 'meta'",
);

/** A schema with its tables, and what is connected to it: made once, emptied for the next store. */
interface Place {
  readonly namespace: string;
  readonly pool: Pool;
  /** Empties all tables in one statement. */
  emptying: Statement | null;
}

/** Makes stores in this database, which others may use too. */
export function postgresStores(url: string): CreateStore {
  const address = { ...readPostgresUrl(url), pool: 4 };
  // Making the tables of a store takes a hundred times as long as emptying them, and connecting as long as a case.
  const free: Place[] = [];
  const createPlace = (): Place => ({
    // What means something in an identifier is part of a name all the same.
    namespace: `case"$& ${randomBytes(6).toString('hex')}`,
    pool: createPool(address),
    emptying: null,
  });
  return async ({ now, chance }) => {
    const place = free.pop() ?? createPlace();
    const { namespace, pool } = place;
    const driver = createPostgresDriver({ address, namespace, now, chance, pool, clock: systemClock });
    let opening: Promise<void> | null = null;
    const look = async () => {
      opening ??= driver.open();
      await opening;
      return driver;
    };
    return {
      connect: async () => {
        const broker = createPostgresBroker({ address, namespace, now, chance, pool });
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
        await look();
        place.emptying ??= emptying(await driver.readOne(tablesOf, namespace));
        await driver.writeOne(place.emptying);
        await driver.close();
        free.push(place);
      },
    };
  };
}

/** TRUNCATE makes the files of each table anew: 57 ms instead of half a one. */
function emptying(tables: readonly (readonly [table: string])[]): Statement {
  const [last, ...others] = tables.map(([table]) => `DELETE FROM ${table}`);
  return statement('empty', () => `WITH ${others.map((text, index) => `t${index} AS (${text})`).join(', ')} ${last}`);
}
