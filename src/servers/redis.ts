/** A Redis of one's own, on a free port and a socket, in a folder of its own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { findRedis, installLine } from './programs.ts';
import { isListening, type Server, startServer } from './throw-away.ts';

export interface RedisServer extends Server {
  /** Of its socket, for who wants no TCP. */
  readonly path: string;
  readonly port: number;
}

/** Starts a Redis that keeps nothing, or what `settings` say ("--appendonly", "yes"). Throws when there is no program for it. */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const program = findRedis();
  if (program === null) throw new Error(`There is no redis-server here: ${installLine(['redis'])}`);
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-redis-'));
  const path = join(folder, 'redis.sock');
  const port = await freePort();
  const listen = ['--bind', '127.0.0.1', '--port', String(port), '--unixsocket', path];
  const server = await startServer({
    program,
    args: [...listen, '--dir', folder, '--save', '', '--appendonly', 'no', ...settings],
    folder,
    signal: 'SIGKILL',
    isReady: () => isListening(path),
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    path,
    port,
    ...server,
    // A killed Redis leaves its socket, which would look as if the next one listened.
    restart: async () => {
      rmSync(path, { force: true });
      await server.restart();
    },
  };
}
