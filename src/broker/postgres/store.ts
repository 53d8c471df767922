/** The broker of the Postgres setup: a SqlBroker over one schema that other processes share. */

import { type Chance, createToken, systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker, Signal } from '../broker.ts';
import { createNotifier } from '../notify.ts';
import { statement } from '../sql/driver.ts';
import { migrate } from '../sql/migrate.ts';
import { refuseRecord } from '../sql/refuse-record.ts';
import { createSqlBroker } from '../sql/sql-broker.ts';
import {
  createPostgresDriver,
  type PostgresDriver,
  type PostgresDriverOptions,
  type WholeStatement,
} from './driver.ts';
import { createPostgresJoin } from './join.ts';
import { listen } from './listen.ts';
import { lockKey } from './locks.ts';
import { clientConfig, type PostgresAddress } from './url.ts';
import { createWholeSteps } from './whole.ts';

export interface PostgresOptions {
  readonly address: PostgresAddress;
  /** The schema with the tables: one of several systems in one database. */
  readonly namespace: string;
  readonly chance?: Chance;
  readonly clock?: Clock;
  /** The wall clock of a test instead of the server's. */
  readonly now?: () => number;
  /** See {@link PostgresDriverOptions.pool}. */
  readonly pool?: PostgresDriverOptions['pool'];
}

/**
 * Inputs: channel, payload. A hint may be lost, so its transaction does not wait for the disk: all others that notify in this database
 * would wait with it.
 */
const notify = statement('notify', () => "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)");

/** The broker, and the connections it uses, for the record over the same tables. Nothing is opened before `broker.open()`. */
export function createPostgresBroker(options: PostgresOptions): Broker & { readonly driver: PostgresDriver } {
  const { address, namespace, now, pool, clock = systemClock, chance = systemChance } = options;
  const driver = createPostgresDriver({
    address,
    namespace,
    clock,
    chance,
    ...(now && { now }),
    ...(pool && { pool }),
  });
  const channel = `taskflow ${lockKey(namespace, 'settings', []).group}`;
  const own = createToken(chance);
  const notifier = createNotifier(own, clock, (payload) => driver.readOne(notify, channel, payload));
  const takeHint = (signals: readonly Signal[]): WholeStatement | null => {
    const payload = notifier.take(signals);
    return payload === null ? null : { statement: notify, values: [channel, payload] };
  };
  let stopListening = async (): Promise<void> => {};
  const broker = createSqlBroker({
    driver,
    chance,
    kind: 'postgres',
    open: async () => {
      await driver.open();
      try {
        await migrate(driver, chance);
        await refuseRecord(driver);
      } catch (error) {
        await driver.close();
        throw error;
      }
    },
    close: async () => {
      await stopListening();
      await notifier.drain();
      await driver.close();
    },
    durability: driver.durability,
    join: createPostgresJoin({ masked: address.masked, namespace, now: now ?? null }),
    tell: notifier.tell,
    whole: (way) => createWholeSteps({ ...way, driver, namespace, takeHint }),
    watch: (emit) => {
      // Behind a pooler a connection is somebody else's between two statements.
      if (address.prepares)
        stopListening = listen({ config: clientConfig(address), channel, own, clock, chance, emit });
    },
  });
  return { ...broker, reconnect: driver.reconnect, driver };
}
