/** The database of a record apart from its live store: the tables of a store of SQL, without a broker over them. */

import { isAbsolute, resolve } from 'node:path';
import { type Chance, systemChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import type { TaskView } from '../core/states.ts';
import { type Clock, systemClock } from '../core/time.ts';
import { readCursor } from '../history/recording/cursor.ts';
import { createLateRecord, type LateRecord } from './late-record.ts';
import { createPostgresDriver } from './postgres/driver.ts';
import { isOutage as isPostgresOutage } from './postgres/errors.ts';
import { createPostgresJoin } from './postgres/join.ts';
import { readCounts } from './sql/counts.ts';
import { type SqlDriver, statement } from './sql/driver.ts';
import { stayInForm } from './sql/form-indexes.ts';
import type { Join } from './sql/join.ts';
import { migrate } from './sql/migrate.ts';
import { giveUpMove } from './sql/record-place.ts';
import type { OnStatement } from './sql/told.ts';
import { createSqliteDriver } from './sqlite/driver.ts';
import { isOutage as isSqliteOutage } from './sqlite/errors.ts';
import { createSqliteJoin } from './sqlite/join.ts';
import { fileOf, isPostgres, postgresAddress } from './store-url.ts';

export interface RecordDatabase extends LateRecord {
  /** Lets transactions of users on this database have tasks in them. */
  readonly join: Join;
}

export interface RecordDatabaseOptions {
  /** The folder that relative paths are relative to. */
  readonly folder: string;
  readonly namespace: string;
  readonly clock?: Clock;
  readonly chance?: Chance;
  /** For tests and benches: see {@link OnStatement}. */
  readonly onStatement?: OnStatement | undefined;
}

/** Not yet opened. Throws as `connect` does, and NOT_SUPPORTED for what cannot be shared by processes. */
export function createRecordDatabase(url: string, options: RecordDatabaseOptions): RecordDatabase {
  return isPostgres(url) ? onPostgres(url, options) : onSqlite(url, options);
}

function onPostgres(
  url: string,
  { namespace, clock = systemClock, chance = systemChance, onStatement }: RecordDatabaseOptions,
) {
  const address = postgresAddress(url);
  const schema = address.namespace ?? namespace;
  const driver = createPostgresDriver({ address, namespace: schema, clock, chance, onStatement });
  const open = () => openMigrated(driver, chance, namespace);
  const record = createLateRecord({ driver, open, close: driver.close, isOutage: isPostgresOutage });
  return { ...record, join: createPostgresJoin({ masked: address.masked, namespace: schema, now: null }) };
}

function onSqlite(
  url: string,
  { folder, namespace, clock = systemClock, chance = systemChance, onStatement }: RecordDatabaseOptions,
) {
  const path = fileOf(url);
  if (path === ':memory:') {
    const hint = 'Other processes have to see it: --store sqlite:./.taskflow/record.db';
    throw taskFlowError('NOT_SUPPORTED', { what: 'A record in the memory of one process' }, { hint });
  }
  const file = isAbsolute(path) ? path : resolve(folder, path);
  const driver = createSqliteDriver({ file, clock, chance, now: clock.now, pageBytes, onStatement });
  const open = () => openMigrated(driver, chance, namespace);
  const record = createLateRecord({ driver, open, close: driver.close, isOutage: isSqliteOutage });
  return { ...record, join: createSqliteJoin({ file, now: clock.now }) };
}

/** A record is written in batches, at its ends: larger pages have fewer of those, and rows that grow move less. */
const pageBytes = 16_384;

/** Its tasks would stand still for ever: nobody looks at the tasks of a record. Throws RECORD_IS_LIVE. */
async function refuseLive(driver: SqlDriver): Promise<void> {
  if ((await readCursor(driver)).incarnation !== null) return;
  const counts = await driver.read(readCounts);
  const live = counts.filter(({ view }) => liveViews.has(view)).reduce((sum, { count }) => sum + count, 0);
  if (live > 0) throw taskFlowError('RECORD_IS_LIVE', { count: live });
}

/** Inputs: namespace. Locks: the row. */
const claimRecord = statement(
  'claim_record',
  () => "INSERT INTO meta (name, value) VALUES ('record of', $1) ON CONFLICT (name) DO NOTHING",
);
const recordOwner = statement<[namespace: string]>(
  'record_owner',
  () => "SELECT value FROM meta WHERE name = 'record of'",
);

/** Two systems in one record would take each other's tasks for lost ones. Throws RECORD_ELSEWHERE. */
async function refuseOther(driver: SqlDriver, namespace: string): Promise<void> {
  const [owner] = await driver.transaction(async (tx) => {
    await tx.change(claimRecord, namespace);
    return tx.query(recordOwner);
  });
  if (owner !== undefined && owner[0] !== namespace)
    throw taskFlowError('RECORD_ELSEWHERE', { problem: `it is that of the namespace "${owner[0]}"` });
}

const liveViews: ReadonlySet<TaskView> = new Set(['queued', 'scheduled', 'retrying', 'blocked', 'running']);

async function openMigrated(
  driver: SqlDriver & { open(): Promise<void>; close(): unknown },
  chance: Chance,
  namespace: string,
): Promise<void> {
  await driver.open();
  try {
    await migrate(driver, chance);
    await refuseLive(driver);
    await refuseOther(driver, namespace);
    await giveUpMove(driver);
    await stayInForm(driver);
  } catch (error) {
    await driver.close();
    throw error;
  }
}
