/** The Postgres setup under torture: a server of its own, or a schema of its own in one that was given, behind a fault proxy. */

import { connect } from '../broker/connect.ts';
import { createPostgresDriver } from '../broker/postgres/driver.ts';
import { identifier } from '../broker/postgres/schema.ts';
import { readPostgresUrl } from '../broker/postgres/url.ts';
import { createToken, systemChance } from '../core/chance.ts';
import { systemClock as clock } from '../core/time.ts';
import { startFaultProxy } from '../servers/fault-proxy.ts';
import { startPostgres } from '../servers/postgres.ts';
import type { Ground } from './ground.ts';
import { strikePostgres } from './postgres-strikes.ts';
import { checkIndexes, heldKeys, showRows } from './remains.ts';
import { createStoreFaults } from './store-faults.ts';

/** `url` is of a server that others may use; without it one is started. */
export async function openPostgresGround(url: string | null): Promise<Ground> {
  const server = url === null ? await startPostgres() : null;
  const direct = new URL(server?.url ?? url ?? '');
  const namespace = `torture_${createToken(systemChance).slice(0, 8)}`;
  const target = { host: direct.hostname, port: Number(direct.port || 5432) };
  const proxy = await startFaultProxy({ target, protocol: 'postgres' });
  const broker = Object.assign(new URL(direct), { hostname: '127.0.0.1', port: String(proxy.port) }).href;
  const store = connect(direct.href, { namespace });
  await store.broker.open();
  const driver = createPostgresDriver({
    address: readPostgresUrl(direct.href),
    namespace,
    clock,
    chance: systemChance,
  });
  await driver.open();
  const faults = createStoreFaults({
    proxy,
    server,
    clock,
    // What a transaction did is done with its COMMIT; a statement alone is its own transaction.
    request: /^(commit|update|insert|with|select)\b/i,
    ofServer: (kind, ms) => strikePostgres(driver, namespace, kind, ms),
  });
  return {
    address: { broker, record: null, namespace },
    store,
    durability: driver.durability().detail,
    // As long as a statement may wait for a lock, and a process be stopped within one.
    events: { overlapMs: 30_000 },
    // Whoever is stopped within a transaction holds up those who want its rows, until the server ends it.
    alone: (work) => work(),
    strike: faults.strike,
    heal: faults.heal,
    isRecorded: async () => true,
    recordRest: async () => {},
    showRows: (judge) => showRows(driver, judge),
    heldKeys: () => heldKeys(driver),
    checkIndexes: (judge) => checkIndexes(driver, judge),
    checkWhole: async () => {},
    async close() {
      await faults.heal();
      if (server === null) await driver.transaction((tx) => tx.execute(`DROP SCHEMA ${identifier(namespace)} CASCADE`));
      await driver.close();
      await store.close();
      await proxy.close();
      await server?.stop();
    },
  };
}
