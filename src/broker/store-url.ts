/** What a store's URL says, or what is wrong with it and which one was probably meant. */

import { maskUrl } from '../config/mask.ts';
import { taskFlowError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { type PostgresAddress, readPostgresUrl } from './postgres/url.ts';
import { type RedisAddress, readRedisUrl } from './redis/url.ts';

export function isPostgres(url: string): boolean {
  return /^postgres(?:ql)?:/i.test(url);
}

/** Throws STORE_URL_INVALID. */
export function postgresAddress(url: string): PostgresAddress {
  return readAddress(url, readPostgresUrl, 'postgres://user:password@localhost:5432/database');
}

/** A server in front of the store. */
export function isHttp(url: string): boolean {
  return /^https?:/i.test(url);
}

export function isRedis(url: string): boolean {
  return /^(?:redis|valkey)s?(?:\+[a-z]+)?:/i.test(url);
}

/** Throws STORE_URL_INVALID. */
export function redisAddress(url: string): RedisAddress {
  return readAddress(url, readRedisUrl, 'redis://localhost:6379');
}

function readAddress<Address>(url: string, read: (url: string) => Address, example: string): Address {
  try {
    return read(url);
  } catch (error) {
    throw invalid(url, error instanceof Error && error.name === 'Error' ? error.message : 'it is no URL', example);
  }
}

/** Path of an SQLite file, or `:memory:`. Throws STORE_URL_INVALID, and NOT_SUPPORTED for Redis, which is no database. */
export function fileOf(url: string): string {
  if (isRedis(url)) {
    const hint = 'Name a database: postgres://user:password@localhost:5432/app, or sqlite:./.taskflow/record.db';
    throw taskFlowError('NOT_SUPPORTED', { what: 'Redis in the place of a database' }, { hint });
  }
  const [, scheme, rest] = /^([a-z]+):(.*)$/is.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'memory':
      throw invalid(url, 'there is no memory that processes could share', 'sqlite::memory:');
    case 'sqlite':
    case 'file':
      return sqliteFile(url, scheme === 'sqlite' ? (rest ?? '') : `file:${rest}`);
    default:
      throw unknown(url, scheme ?? null, rest ?? '');
  }
}

function unknown(url: string, scheme: string | null, rest: string): Error {
  if (scheme === null) return invalid(url, 'it has no scheme', url === '' ? null : `sqlite:${url}`);
  const meant = nearest(scheme, ['sqlite', 'postgres', 'redis']);
  return invalid(url, `"${scheme}" is no store`, meant === null ? null : `${meant}:${rest}`);
}

function sqliteFile(url: string, rest: string): string {
  if (rest === '') throw invalid(url, 'it names no file', 'sqlite:./.taskflow/taskflow.db');
  if (rest.startsWith('file:'))
    throw invalid(url, 'the scheme is "sqlite"', `sqlite:${rest.slice('file:'.length).replace(/^\/\/(?=\/)/, '')}`);
  if (rest.includes('?')) throw invalid(url, 'it takes no options', `sqlite:${rest.slice(0, rest.indexOf('?'))}`);
  if (rest.includes('\0')) throw invalid(url, 'it has a zero byte', null);
  // sqlite:///path is a path, sqlite://path a host that SQLite does not have.
  if (/^\/\/[^/]/.test(rest)) throw invalid(url, 'a file has no host', `sqlite:./${rest.slice(2)}`);
  return rest.startsWith('///') ? rest.slice(2) : rest;
}

function invalid(url: string, problem: string, meant: string | null): Error {
  return taskFlowError(
    'STORE_URL_INVALID',
    { url: maskUrl(url), problem },
    meant === null ? {} : { hint: `Did you mean ${maskUrl(meant)}?` },
  );
}
