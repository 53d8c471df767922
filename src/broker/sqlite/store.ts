/** The embedded setup's broker: a SqlBroker over one SQLite file that other processes may share. */

import { type Chance, systemChance } from '../../core/chance.ts';
import { type Clock, systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import { migrate } from '../sql/migrate.ts';
import { readLastSeq, readNotice } from '../sql/notice.ts';
import { refuseRecord } from '../sql/refuse-record.ts';
import { createSqlBroker } from '../sql/sql-broker.ts';
import type { OnStatement } from '../sql/told.ts';
import { createSqliteDriver, type SqliteDriver } from './driver.ts';
import { createSqliteJoin } from './join.ts';
import { watchCommits } from './watch.ts';

export interface SqliteOptions {
  /** Path of the file, or `:memory:` for a private store that dies with its connection. */
  readonly file: string;
  /** Wall clock, milliseconds since the epoch; the store's clock does not follow it back. */
  readonly now?: () => number;
  readonly chance?: Chance;
  readonly clock?: Clock;
  /** How long a call waits for another process's lock before STORE_LOCKED; 10 s without it. */
  readonly lockedAfterMs?: number;
  /** For tests and benches: see {@link OnStatement}. */
  readonly onStatement?: OnStatement;
}

/** The broker, and the connections it uses, for the record over the same tables. Nothing is opened before `broker.open()`. */
export function createSqliteBroker(options: SqliteOptions): Broker & { readonly driver: SqliteDriver } {
  const { file, clock = systemClock, chance = systemChance, now = clock.now, lockedAfterMs, onStatement } = options;
  const driver = createSqliteDriver({
    file,
    clock,
    chance,
    now,
    onStatement,
    ...(lockedAfterMs === undefined ? {} : { lockedAfterMs }),
  });
  let stopWatching = (): void => {};
  const broker = createSqlBroker({
    driver,
    chance,
    kind: 'sqlite',
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
      stopWatching();
      await driver.close();
    },
    durability: driver.durability,
    ...(file === ':memory:' ? {} : { join: createSqliteJoin({ file, now }) }),
    watch: (emit) => {
      if (file !== ':memory:') stopWatching = reportOthers(driver, file, clock, emit);
    },
  });
  return { ...broker, driver };
}

type Emit = Parameters<NonNullable<Parameters<typeof createSqlBroker>[0]['watch']>>[0];

/** Reports what other processes commit, one look at a time. A look that fails is made up for by the next, or by the poll. */
function reportOthers(driver: SqliteDriver, file: string, clock: Clock, emit: Emit): () => void {
  let seq = driver.read(readLastSeq).catch(() => 0);
  return watchCommits({
    file,
    clock,
    dataVersion: driver.dataVersion,
    onChange: () => {
      seq = seq.then(async (seen) => {
        const notice = await driver.read((tx) => readNotice(tx, seen)).catch(() => ({ signals: [], seq: seen }));
        for (const signal of notice.signals) emit(signal);
        return notice.seq;
      });
    },
  });
}
