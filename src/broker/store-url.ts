/** What a store's URL says, or what is wrong with it and which one was probably meant. */

import { maskUrl } from '../config/mask.ts';
import { taskFlowError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { type PostgresAddress, readPostgresUrl } from './postgres/url.ts';

export function isPostgres(url: string): boolean {
  return /^postgres(?:ql)?:/i.test(url);
}

/** Throws STORE_URL_INVALID. */
export function postgresAddress(url: string): PostgresAddress {
  const example = 'postgres://user:password@localhost:5432/database';
  try {
    return readPostgresUrl(url);
  } catch (error) {
    throw invalid(url, error instanceof Error && error.name === 'Error' ? error.message : 'it is no URL', example);
  }
}

export function isRedis(url: string): boolean {
  return /^(?:redis|rediss|valkey|valkeys|redis\+sentinel|rediss\+sentinel):/i.test(url);
}

/** Path of an SQLite file, or `:memory:`. Throws STORE_URL_INVALID, and NOT_SUPPORTED for stores of later versions. */
export function fileOf(url: string): string {
  const [, scheme, rest] = /^([a-z]+):(.*)$/is.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'memory':
      throw invalid(url, 'there is no memory that processes could share', 'sqlite::memory:');
    case 'sqlite':
    case 'file':
      return sqliteFile(url, scheme === 'sqlite' ? (rest ?? '') : `file:${rest}`);
    case 'redis':
    case 'rediss':
    case 'valkey':
      throw later('Redis');
    default:
      throw unknown(url, scheme ?? null, rest ?? '');
  }
}

/** The URL may be the host's own variable, which nobody wrote for TaskFlow. */
function later(what: string): Error {
  const hint =
    'Use SQLite or Postgres: --broker sqlite:./.taskflow/taskflow.db, or postgres://… (REDIS_URL then does not count).';
  return taskFlowError('NOT_SUPPORTED', { what: `${what} as a store` }, { hint });
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
