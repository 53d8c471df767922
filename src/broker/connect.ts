/** From a URL to a store: the one place that knows every adapter. */

import { isAbsolute, resolve } from 'node:path';
import { createAccess } from '../access/access.ts';
import { systemChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { createSqlHistory } from '../history/sql-history.ts';
import { createClusterStore, createLiveStore } from './cluster-store.ts';
import { diskOf } from './disk.ts';
import { createHttpBroker } from './http/http-broker.ts';
import { module as httpThread } from './http/thread.ts';
import { createPostgresDriver } from './postgres/driver.ts';
import { createPostgresBroker, type PostgresOptions } from './postgres/store.ts';
import { module as postgresThread } from './postgres/thread.ts';
import { writePostgresUrl } from './postgres/url.ts';
import { createRecordDatabase } from './record-database.ts';
import { createRedisBroker } from './redis/redis-broker.ts';
import { withNamespace } from './redis/url.ts';
import { createSqliteDriver } from './sqlite/driver.ts';
import { createSqliteBroker, type SqliteOptions } from './sqlite/store.ts';
import { module as sqliteThread } from './sqlite/thread.ts';
import { fileOf, isHttp, isPostgres, isRedis, postgresAddress, redisAddress } from './store-url.ts';

/** What a store can be given beside its URL. */
export interface ConnectOptions extends Omit<SqliteOptions, 'file'> {
  /** The folder that relative paths are relative to; the working directory without it. */
  readonly folder?: string;
  /** URL of a record apart from the broker; it is the broker's own file without it. */
  readonly store?: string | null;
  /** One of several systems in one store; an SQLite file holds exactly the default one. */
  readonly namespace?: string;
}

const namespaceDefault = 'taskflow';

/**
 * The store behind a URL, not yet opened: `sqlite:./path`, `sqlite:/path`, `sqlite::memory:`,
 * `postgres://user:password@host:5432/database` or `redis://host:6379` with its record as `store`.
 * Throws STORE_URL_INVALID with the nearest form, and NOT_SUPPORTED for what this version does not do.
 */
export function connect(url: string, options: ConnectOptions = {}): Store {
  const { folder = '.', store = null, namespace = namespaceDefault, ...shared } = options;
  // Taken silently, two namespaces would mix in one file, and a record would stay empty.
  if (store !== null && store !== url && !isRedis(url))
    throw taskFlowError('NOT_SUPPORTED', { what: 'A record apart from the broker' });
  if (isRedis(url)) return openRedis(url, options);
  if (isHttp(url)) return connectServer(url, shared.clock);
  if (isPostgres(url)) return openPostgres(url, options.namespace ?? null, shared);
  if (namespace !== namespaceDefault) {
    throw taskFlowError('NOT_SUPPORTED', { what: 'A namespace in an SQLite file' }, { hint: 'Use a file for each.' });
  }
  const file = fileOf(url);
  return createSqliteStore({ ...shared, file: file === ':memory:' || isAbsolute(file) ? file : resolve(folder, file) });
}

/** What a worker needs of a server, over HTTP. Throws STORE_URL_INVALID. */
function connectServer(url: string, clock = systemClock): Store {
  const store: Store = { ...createLiveStore(createHttpBroker({ url, clock })), isServer: true };
  return clock === systemClock ? { ...store, address: { module: httpThread, url } } : store;
}

/** Broker and record in one schema of a Postgres database. Opened and closed by its broker; closing the store closes both. */
export function createPostgresStore(options: PostgresOptions): Store {
  const { driver, ...broker } = createPostgresBroker(options);
  const history = createSqlHistory(driver, options.clock ?? systemClock);
  const close = async (): Promise<void> => {
    await history.close();
    await broker.close();
  };
  const { address, namespace, now, clock, chance = systemChance } = options;
  const access = createAccess({ driver, clock: clock ?? systemClock, chance });
  const isShared = now === undefined && clock === undefined;
  // Another thread has the URL alone.
  const url = writePostgresUrl(address, namespace);
  const shared = isShared ? { address: { module: postgresThread, url } } : {};
  return { broker, history, access, isParallel: true, close, ...shared };
}

/** The database behind a URL alone, not opened: nothing is migrated. Throws as {@link connect}. */
export function connectDriver(url: string, { folder = '.', namespace = namespaceDefault }: ConnectOptions) {
  const time = { clock: systemClock, chance: systemChance };
  if (isPostgres(url)) {
    const address = postgresAddress(url);
    return createPostgresDriver({ ...time, address, namespace: address.namespace ?? namespace });
  }
  const file = fileOf(url);
  return createSqliteDriver({ ...time, file: isAbsolute(file) ? file : resolve(folder, file), now: systemClock.now });
}

/** The Redis behind a URL alone, not opened: with nothing beside it, for who moves it. Throws as {@link connect}. */
export function connectLive(url: string, { namespace = namespaceDefault }: ConnectOptions) {
  const address = redisAddress(url);
  return createRedisBroker({ address, namespace: address.namespace ?? namespace });
}

/** Without a record it is what a worker needs. The configured namespace counts where the URL names none. */
function openRedis(url: string, { folder = '.', store = null, namespace: given, ...rest }: ConnectOptions): Store {
  const { clock = systemClock, chance = systemChance } = rest;
  const address = redisAddress(url);
  const namespace = address.namespace ?? given ?? namespaceDefault;
  const broker = createRedisBroker({ address, namespace, clock, chance });
  // Another thread has the URL alone, and needs no record.
  const shared = rest.clock === undefined && {
    address: { module: import.meta.url, url: withNamespace(address, namespace) },
  };
  if (store === null) return { ...createLiveStore(broker), ...shared };
  const database = createRecordDatabase(store, { folder, namespace, clock, chance, onStatement: rest.onStatement });
  const disk = isPostgres(store) ? {} : { disk: () => diskOf(resolve(folder, fileOf(store))) };
  return { ...createClusterStore({ broker, database, clock, chance }), ...disk, ...shared };
}

/** The configured namespace counts where the URL names none. */
function openPostgres(url: string, namespace: string | null, options: Omit<PostgresOptions, 'address' | 'namespace'>) {
  const { chance, clock, now, onStatement } = options;
  const address = postgresAddress(url);
  const given = {
    ...(chance && { chance }),
    ...(clock && { clock }),
    ...(now && { now }),
    ...(onStatement && { onStatement }),
  };
  return createPostgresStore({ ...given, address, namespace: address.namespace ?? namespace ?? namespaceDefault });
}

/** Broker and record in one SQLite file. Opened and closed by its broker; closing the store closes both. */
export function createSqliteStore(options: SqliteOptions): Store {
  const { driver, ...broker } = createSqliteBroker(options);
  const history = createSqlHistory(driver, options.clock ?? systemClock);
  const close = async (): Promise<void> => {
    // A search under way ends first: it must not meet a connection that is gone.
    await history.close();
    await broker.close();
  };
  const { file, now, clock, chance = systemChance } = options;
  const isShared = file !== ':memory:' && now === undefined && clock === undefined;
  return {
    broker,
    history,
    access: createAccess({ driver, clock: clock ?? systemClock, chance }),
    close,
    ...(file === ':memory:' ? {} : { disk: () => diskOf(file) }),
    ...(isShared ? { address: { module: sqliteThread, url: `sqlite:${resolve(file)}` } } : {}),
  };
}
