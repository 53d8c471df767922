/** The database in which a torture of Redis is recorded, and what can be done to it: the recorders fall behind, and catch up. */

import { join } from 'node:path';
import { connectDriver } from '../broker/connect.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import { startFaultProxy } from '../servers/fault-proxy.ts';
import { startPostgres } from '../servers/postgres.ts';
import type { Ground } from './ground.ts';
import type { FaultKind, RecordKind } from './plan.ts';
import { strikePostgres } from './postgres-strikes.ts';
import { createStoreFaults } from './store-faults.ts';

export interface RecordGround extends Pick<Ground, 'strike' | 'heal' | 'close'> {
  /** For the processes under torture. */
  readonly url: string;
  /** No fault lies on this way. */
  readonly directUrl: string;
  /** In words. */
  readonly name: string;
  /** Opens a look at it, once it was migrated. */
  look(): Promise<SqlDriver>;
}

export async function openRecordGround(kind: RecordKind, folder: string, namespace: string): Promise<RecordGround> {
  return kind === 'sqlite' ? onSqlite(folder) : await onPostgres(namespace);
}

function onSqlite(folder: string): RecordGround {
  const url = `sqlite:${join(folder, 'record.db')}`;
  const driver = connectDriver(url, {});
  return {
    url,
    directUrl: url,
    name: 'SQLite',
    async look() {
      await driver.open();
      return driver;
    },
    async strike(fault, ms) {
      if (fault !== 'lockRecord') return false;
      await driver.transaction(() => sleep(clock, ms));
      return true;
    },
    heal: async () => {},
    close: async () => void (await driver.close()),
  };
}

/** What is done to the record is done to it as it would be to a store. */
const asToStores: Partial<Record<FaultKind, FaultKind>> = {
  lockRecord: 'lockStore',
  killRecord: 'killStore',
  recordOutage: 'outage',
  terminateRecord: 'terminateBackends',
};

async function onPostgres(namespace: string): Promise<RecordGround> {
  const server = await startPostgres();
  const proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: server.port }, protocol: 'postgres' });
  const driver = connectDriver(server.url, { namespace });
  const faults = createStoreFaults({
    proxy,
    server,
    clock,
    request: /^commit\b/i,
    ofServer: (kind, ms) => strikePostgres(driver, namespace, kind, ms),
  });
  return {
    url: Object.assign(new URL(server.url), { port: String(proxy.port) }).href,
    directUrl: server.url,
    name: 'Postgres',
    async look() {
      await driver.open();
      return driver;
    },
    async strike(kind, ms, roll) {
      const asToStore = asToStores[kind];
      return asToStore !== undefined && (await faults.strike(asToStore, ms, roll));
    },
    heal: faults.heal,
    async close() {
      await faults.heal();
      await driver.close();
      await proxy.close();
      await server.stop();
    },
  };
}
