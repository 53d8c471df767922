/** What only a Postgres can suffer, done on a connection of one's own. */

import { identifier } from '../broker/postgres/schema.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import type { FaultKind } from './plan.ts';

/** Answers whether it is one of them. */
export async function strikePostgres(
  driver: SqlDriver,
  namespace: string,
  kind: FaultKind,
  ms: number,
): Promise<boolean> {
  switch (kind) {
    case 'terminateBackends':
      await driver.transaction((tx) =>
        tx.execute(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()`),
      );
      return true;
    case 'lockStore':
      await driver.transaction(async (tx) => {
        await tx.execute(`LOCK TABLE ${identifier(namespace)}.tasks IN EXCLUSIVE MODE`);
        await sleep(clock, ms);
      });
      return true;
    default:
      return false;
  }
}
