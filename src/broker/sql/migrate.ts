/** Brings a database to the schema this program needs: numbered steps, each in one transaction, by one process at a time. */

import { type Chance, createToken } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { migrations as allMigrations, type Migration } from './migrations/index.ts';

/** What a database has and what this program knows. */
export interface MigrationStatus {
  readonly applied: readonly { readonly name: string; readonly at: number }[];
  readonly pending: readonly string[];
  /** Applied here, unknown to this program: it is older than the database. */
  readonly unknown: readonly string[];
}

const metaTables = [
  'CREATE TABLE IF NOT EXISTS migrations (name text NOT NULL PRIMARY KEY, at bigint NOT NULL)',
  'CREATE TABLE IF NOT EXISTS meta (name text NOT NULL PRIMARY KEY, value text NOT NULL)',
];

const appliedMigrations = statement<[name: string, at: number]>(
  'applied_migrations',
  () => 'SELECT name, at FROM migrations ORDER BY name',
);
const noteMigration = statement('note_migration', () => 'INSERT INTO migrations (name, at) VALUES ($1, $2)');
const noteMeta = statement(
  'note_meta',
  () => 'INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING',
);
const readMetaValue = statement<[value: string]>('read_meta', () => 'SELECT value FROM meta WHERE name = $1');

/**
 * Applies what is missing, each migration in one transaction that begins with the lock on all of them: two processes
 * that start at once both succeed. Running it again only reads, so that nobody who writes for long keeps others from
 * opening. Answers the names it applied.
 * Throws STORE_TOO_NEW when the database has a migration this program does not know, STORE_FOREIGN when it has other tasks.
 */
export async function migrate(
  driver: SqlDriver,
  chance: Chance,
  migrations: readonly Migration[] = allMigrations,
): Promise<readonly string[]> {
  const status = await migrationStatus(driver, migrations);
  refuseNewer(status, migrations);
  if (status.pending.length === 0) return [];
  const applied: string[] = [];
  await driver.transaction(async (tx) => {
    await driver.lockMigrations(tx);
    await refuseForeign(driver, tx);
    for (const text of metaTables) await tx.execute(text);
    await tx.query(noteMeta, 'incarnation', createToken(chance));
  });
  for (const migration of migrations) {
    if (await driver.transaction((tx) => apply(driver, tx, migration, migrations))) applied.push(migration.name);
  }
  return applied;
}

async function apply(
  driver: SqlDriver,
  tx: SqlTransaction,
  migration: Migration,
  migrations: readonly Migration[],
): Promise<boolean> {
  await driver.lockMigrations(tx);
  // Read under the lock: another process may have applied it since.
  const status = compare(await tx.query(appliedMigrations), migrations);
  refuseNewer(status, migrations);
  if (!status.pending.includes(migration.name)) return false;
  for (const text of migration.up(driver.dialect)) await tx.execute(text);
  await tx.query(noteMigration, migration.name, await tx.wallMs());
  return true;
}

/** What is applied and what is missing; changes nothing. An empty database has everything pending. */
export async function migrationStatus(
  driver: SqlDriver,
  migrations: readonly Migration[] = allMigrations,
): Promise<MigrationStatus> {
  return await driver.read(async (tx) => {
    if (!(await driver.hasTable(tx, 'migrations'))) return compare([], migrations);
    return compare(await tx.query(appliedMigrations), migrations);
  });
}

/** Throws STORE_TOO_NEW or STORE_NOT_MIGRATED when the schema is not the one this program needs. */
export function checkStatus(status: MigrationStatus, migrations: readonly Migration[] = allMigrations): void {
  refuseNewer(status, migrations);
  if (status.pending.length === 0) return;
  throw taskFlowError('STORE_NOT_MIGRATED', {
    found: status.applied.at(-1)?.name ?? 'none',
    known: migrations.at(-1)?.name ?? 'none',
  });
}

/** The random name of this set of data. */
export async function readIncarnation(tx: SqlTransaction): Promise<string> {
  const [row] = await tx.query(readMetaValue, 'incarnation');
  return row?.[0] ?? '';
}

/** A database of another program must not get half of our tables before one of them is in the way. */
async function refuseForeign(driver: SqlDriver, tx: SqlTransaction): Promise<void> {
  const table = 'tasks';
  if ((await driver.hasTable(tx, 'migrations')) || !(await driver.hasTable(tx, table))) return;
  throw taskFlowError('STORE_FOREIGN', { table });
}

function refuseNewer(status: MigrationStatus, migrations: readonly Migration[]): void {
  const found = status.unknown.at(-1);
  if (found !== undefined) throw taskFlowError('STORE_TOO_NEW', { found, known: migrations.at(-1)?.name ?? 'none' });
}

function compare(
  applied: readonly (readonly [name: string, at: number])[],
  migrations: readonly Migration[],
): MigrationStatus {
  const names = new Set(applied.map(([name]) => name));
  const known = new Set(migrations.map(({ name }) => name));
  return {
    applied: applied.map(([name, at]) => ({ name, at })),
    pending: migrations.map(({ name }) => name).filter((name) => !names.has(name)),
    unknown: [...names].filter((name) => !known.has(name)),
  };
}
