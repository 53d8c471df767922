/** The broker of the Postgres setup: a SqlBroker over one schema that other processes share. */

import { type Chance, createToken, systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker, Signal } from '../broker.ts';
import { anything } from '../hints.ts';
import { createNotifier } from '../notify.ts';
import { statement } from '../sql/driver.ts';
import { migrate } from '../sql/migrate.ts';
import { refuseRecord } from '../sql/refuse-record.ts';
import { createSqlBroker } from '../sql/sql-broker.ts';
import type { WholeWay } from '../sql/whole.ts';
import { createPostgresDriver, type PostgresDriver, type PostgresDriverOptions } from './driver.ts';
import { createPostgresJoin } from './join.ts';
import { type Listening, listen } from './listen.ts';
import { lockKey } from './locks.ts';
import { createStanding } from './standing.ts';
import { clientConfig, type PostgresAddress } from './url.ts';
import { createWholeSteps } from './whole.ts';
import { createAttempts, type Hints } from './whole-enqueue.ts';
import { readHandedOver } from './whole-hand-over.ts';

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
  /** See {@link PostgresDriverOptions.onStatement}. */
  readonly onStatement?: PostgresDriverOptions['onStatement'];
}

/**
 * Inputs: channel, payload. A hint may be lost, so its transaction does not wait for the disk: all others that notify in this database
 * would wait with it.
 */
const notify = statement('notify', () => "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)");

/** The same unless a task is queued no more. Input: its id. */
const notifyQueued = statement(
  'notify_queued',
  () =>
    "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2) WHERE EXISTS (SELECT 1 FROM tasks WHERE id = $3 AND state = 'queued')",
);

/** The broker, and the connections it uses, for the record over the same tables. Nothing is opened before `broker.open()`. */
export function createPostgresBroker(options: PostgresOptions): Broker & { readonly driver: PostgresDriver } {
  const { address, namespace, now, pool, onStatement, clock = systemClock, chance = systemChance } = options;
  const driver = createPostgresDriver({
    address,
    namespace,
    clock,
    chance,
    onStatement,
    ...(now && { now }),
    ...(pool && { pool }),
  });
  const channel = `taskflow ${lockKey(namespace, 'settings', []).group}`;
  const own = createToken(chance);
  const notifier = createNotifier(own, clock, (payload) => driver.readOne(notify, channel, payload));
  const hints: Hints = {
    take: (signals, taskId) => {
      const payload = notifier.take(signals);
      if (payload === null) return null;
      if (taskId === null) return { statement: notify, values: [channel, payload] };
      return { statement: notifyQueued, values: [channel, payload, taskId] };
    },
    untake: notifier.untake,
  };
  let listening: Listening | null = null;
  let readOwn: (payload: string) => readonly Signal[] = () => anything;
  const wholeSteps = (way: WholeWay) => {
    readOwn = (payload) => decodeHanded(payload, way);
    const standing = createStanding({ ...way, driver, hearing: () => listening?.hearing ?? null });
    return createWholeSteps({ ...way, driver, namespace, hints, attempts: createAttempts(clock), standing });
  };
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
      await listening?.stop();
      await notifier.drain();
      await driver.close();
    },
    durability: driver.durability,
    join: createPostgresJoin({ masked: address.masked, namespace, now: now ?? null }),
    tell: notifier.tell,
    whole: wholeSteps,
    watch: (emit) => {
      // Behind a pooler a connection is somebody else's between two statements.
      if (!address.prepares) return;
      const config = clientConfig(address);
      listening = listen({
        config,
        channel,
        namespace,
        own,
        clock,
        chance,
        emit,
        readOwn: (payload) => readOwn(payload),
      });
    },
  });
  return { ...broker, keepsClaims: address.prepares, reconnect: driver.reconnect, driver };
}

/** Whoever may notify may write anything: what is no answer to a claim is at most a hint to send that again. */
function decodeHanded(payload: string, way: WholeWay): readonly Signal[] {
  try {
    return [{ kind: 'handed', ...readHandedOver(payload, way) }];
  } catch {
    return anything;
  }
}
