/** Where the servers are that this machine has: in the PATH, and where Debian, Red Hat and Homebrew put them. */

import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';

/** A server that can be started and thrown away. */
export type ServerKind = 'redis' | 'postgres';

/** The program of a Redis or Valkey, or null. */
export function findRedis(): string | null {
  const folders = [...pathFolders(), '/opt/homebrew/bin', '/usr/local/bin'];
  return firstProgram(['redis-server', 'valkey-server'].flatMap((name) => folders.map((folder) => join(folder, name))));
}

/** The folder with `postgres` and `initdb` of the newest Postgres, or null. Debian has none of them in the PATH. */
export function findPostgres(): string | null {
  const packaged = [
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/opt/homebrew/opt/postgresql@*/bin',
    '/usr/local/opt/postgresql@*/bin',
  ].flatMap((pattern) => globSync(pattern).sort((left, right) => versionIn(right) - versionIn(left)));
  const program = firstProgram([...packaged, ...pathFolders()].map((folder) => join(folder, 'initdb')));
  return program === null ? null : dirname(program);
}

/** The program of a PgBouncer, or null. Debian has it where only root looks. */
export function findPgBouncer(): string | null {
  const folders = [...pathFolders(), '/usr/sbin', '/opt/homebrew/bin', '/usr/local/bin'];
  return firstProgram(folders.map((folder) => join(folder, 'pgbouncer')));
}

/** The kinds that this machine has no program for. */
export function missingServers(kinds: readonly ServerKind[]): readonly ServerKind[] {
  return kinds.filter((kind) => (kind === 'redis' ? findRedis() : findPostgres()) === null);
}

/** The one line that installs them here. */
export function installLine(kinds: readonly ServerKind[]): string {
  const homebrew = process.platform === 'darwin';
  const packages = { redis: homebrew ? 'redis' : 'redis-server', postgres: homebrew ? 'postgresql@17' : 'postgresql' };
  const names = kinds.map((kind) => packages[kind]).join(' ');
  if (homebrew) return `brew install ${names}`;
  return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install ${names}`;
}

function pathFolders(): readonly string[] {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
}

function firstProgram(candidates: readonly string[]): string | null {
  return candidates.find(isProgram) ?? null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionIn(folder: string): number {
  return Number(/\d+/.exec(folder)?.[0] ?? 0);
}
