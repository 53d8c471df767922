/** The URL of a Postgres and what TaskFlow adds to it. */

import type { ClientConfig } from 'pg';
import { limits } from '../../core/limits.ts';
import { readWanted, type WantedDurability } from '../durability.ts';

/** Where the server is, and how it is used. */
export interface PostgresAddress {
  /** As `pg` takes it, without what is ours. */
  readonly url: string;
  /** For people: without the password. */
  readonly masked: string;
  /** The most connections of one process. */
  readonly pool: number;
  /** The schema that the URL names, else `null`. */
  readonly namespace: string | null;
  /** Whether statements are prepared: `?prepare=false` behind a pooler that gives every transaction another connection. */
  readonly prepares: boolean;
  /** What the server has to keep: without a word all that it confirms. */
  readonly durability: WantedDurability;
}

/** Throws a sentence about what is wrong with the URL. */
export function readPostgresUrl(text: string): PostgresAddress {
  const url = new URL(text);
  if (url.hostname === '' && !url.searchParams.has('host')) throw new Error('it names no host');
  if (url.pathname.length < 2) throw new Error('it names no database');
  const pool = Number(take(url, 'pool') ?? limits.postgresPool);
  if (!Number.isInteger(pool) || pool < 2 || pool > limits.postgresPoolMax)
    throw new Error(`pool must be a number from 2 to ${limits.postgresPoolMax}`);
  checkTls(url.searchParams);
  const namespace = take(url, 'namespace');
  const prepare = take(url, 'prepare') ?? 'true';
  if (prepare !== 'true' && prepare !== 'false') throw new Error('prepare must be true or false');
  const durability = readWanted(take(url, 'durability') ?? 'strict');
  return { url: url.href, masked: maskedOf(url), pool, namespace, prepares: prepare === 'true', durability };
}

/** The URL again, with everything in it. */
export function writePostgresUrl({ url, pool, prepares, durability }: PostgresAddress, namespace: string): string {
  const written = new URL(url);
  for (const [name, value] of Object.entries({ pool, prepare: prepares, durability, namespace }))
    written.searchParams.set(name, String(value));
  return written.href;
}

/** What `pg` takes for TLS. Its own words about the weaker of them are five lines long. */
const tlsModes: readonly string[] = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** Every mode that asks for TLS asks for the certificate, too, unless it says that it does not. */
function checkTls(options: URLSearchParams): void {
  const mode = options.get('sslmode');
  if (mode === null) return;
  if (!tlsModes.includes(mode)) throw new Error(`sslmode must be one of ${tlsModes.join(', ')}`);
  const isPlain = mode === 'disable' || mode === 'no-verify' || options.has('uselibpqcompat');
  if (!isPlain) options.set('sslmode', 'verify-full');
}

function take(url: URL, name: string): string | null {
  const value = url.searchParams.get(name);
  url.searchParams.delete(name);
  return value;
}

function maskedOf({ protocol, username, host, pathname }: URL): string {
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`;
}

/**
 * Plans as SQLite has them: over the index a statement was written for. Statistics of a table that was empty a minute ago make
 * the planner read all of it, and a plan that was kept then stays until somebody analyzes the table.
 */
const planner = ['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin'].map((way) => `-c enable_${way}=off`);

/** What a connection is opened with. A pooler refuses settings it does not know. */
export function clientConfig({ url, prepares }: PostgresAddress): ClientConfig {
  const settings = {
    statement_timeout: limits.postgresStatementMs,
    lock_timeout: limits.postgresLockMs,
    idle_in_transaction_session_timeout: limits.postgresCallMs,
    options: ['-c jit=off', ...planner].join(' '),
  };
  return {
    connectionString: url,
    application_name: 'taskflow',
    connectionTimeoutMillis: limits.postgresConnectMs,
    keepAlive: true,
    ...(prepares ? settings : {}),
  };
}
