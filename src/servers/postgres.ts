/** A Postgres of one's own, on a free port and a socket, in a folder of its own. */

import { execFile, execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { findPostgres, installLine } from './programs.ts';
import { type Server, startServer, type User } from './throw-away.ts';

export interface PostgresServer extends Server {
  readonly port: number;
}

/** For who measures nothing: what a killed process has written is in the file system all the same. */
export const withoutSync: readonly string[] = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];

/**
 * Starts a Postgres with its defaults and `settings` ("fsync=off"), whose superuser `postgres` needs no password. The URL of one
 * without sync takes it as it is. Its `kill` is an immediate shutdown: no checkpoint, and recovery at the restart. Throws when
 * there is no program for it.
 */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const bin = findPostgres();
  if (bin === null) throw new Error(`There is no Postgres here: ${installLine(['postgres'])}`);
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-postgres-'));
  const data = join(folder, 'data');
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  try {
    await initialise(join(bin, 'initdb'), data, user);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const port = await freePort();
  const options = [`unix_socket_directories=${folder}`, 'listen_addresses=127.0.0.1', `port=${port}`, ...settings];
  const server = await startServer({
    program: join(bin, 'postgres'),
    args: ['-D', data, ...options.flatMap((option) => ['-c', option])],
    folder,
    user,
    signal: 'SIGQUIT',
    isReady: () => isReady(join(data, 'postmaster.pid')),
  });
  const asIs = settings.some((setting) => withoutSync.includes(setting)) ? '?durability=any' : '';
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres${asIs}`, port, ...server };
}

/** Postgres refuses to run as root: its package brings a user. */
function unprivilegedUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function initialise(initdb: string, data: string, user: User | undefined): Promise<void> {
  const form = ['--encoding', 'UTF8', '--locale', 'C', '--no-instructions', '--no-sync'];
  const owner = ['--username', 'postgres', '--auth', 'trust'];
  await promisify(execFile)(initdb, ['-D', data, ...owner, ...form], { cwd: join(data, '..'), ...user });
}

/** Its eighth line says how far it is; `pg_ctl --wait` looks at the same. */
function isReady(pidFile: string): boolean {
  try {
    return readFileSync(pidFile, 'utf8').split('\n')[7]?.trim() === 'ready';
  } catch {
    return false;
  }
}
