/** A Redis for the tasks and a Postgres for the record, with the relay between them. */

import { createPostgresDriver, type PostgresDriver } from '../../src/broker/postgres/driver.ts';
import { createPostgresJoin } from '../../src/broker/postgres/join.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { createRedisBroker, type RedisOptions } from '../../src/broker/redis/redis-broker.ts';
import { migrate } from '../../src/broker/sql/migrate.ts';
import { systemChance } from '../../src/core/chance.ts';
import { systemClock } from '../../src/core/time.ts';
import { withRelay } from '../../src/relay/with-relay.ts';

export interface HalvesOptions {
  readonly postgres: string;
  readonly redis: RedisOptions['address'];
  readonly namespace: string;
  /** What the relay is given in place of each half. */
  readonly wrap?: <Half extends object>(half: Half) => Half;
}

export interface Halves extends ReturnType<typeof withRelay> {
  readonly driver: PostgresDriver;
  close(): Promise<void>;
}

export async function openHalves({
  postgres,
  redis,
  namespace,
  wrap = (half) => half,
}: HalvesOptions): Promise<Halves> {
  const address = readPostgresUrl(postgres);
  const driver = createPostgresDriver({ address, namespace, clock: systemClock, chance: systemChance });
  await driver.open();
  await migrate(driver, systemChance);
  const live = createRedisBroker({ address: redis, namespace });
  await live.open();
  const join = createPostgresJoin({ masked: address.masked, namespace, now: null });
  const { broker, relay } = withRelay({ broker: wrap(live), driver: wrap(driver), join, clock: systemClock });
  const close = async (): Promise<void> => {
    await broker.close();
    await driver.close();
  };
  return { broker, relay, driver, close };
}
