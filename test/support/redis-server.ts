/** A Redis server for tests: of their own, on a socket in a folder of its own, gone when they end. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/core/time.ts';

/** What to tell whoever has no server. */
export const howToInstall = 'Redis is not tested here: apt-get install redis-server, or brew install redis.';

export interface RedisServer {
  /** Of its socket. */
  readonly path: string;
  /** Ends it at once; what is on its disk stays. */
  kill(): Promise<void>;
  /** Starts it again after a kill, on the same socket and disk. */
  restart(): Promise<void>;
  /** Ends it and removes its disk. */
  stop(): Promise<void>;
}

/** Whether there is a `redis-server` to start. */
export function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Whoever started it may be killed in the middle: then the pipe to it ends, and with it the server. */
const untilTheInputEnds = 'redis-server "$@" & cat > /dev/null; kill -9 $!; wait';

/** Starts a server that keeps nothing, or what `settings` say ("--appendonly", "yes"). */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-redis-'));
  const path = join(folder, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'no', ...settings];
  let child: ChildProcess;
  const kill = async (): Promise<void> => {
    const ended = child.exitCode === null ? once(child, 'exit') : null;
    child.stdin?.end();
    await ended;
    rmSync(path, { force: true });
  };
  const restart = async (): Promise<void> => {
    child = spawn('sh', ['-c', untilTheInputEnds, 'redis-server', ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await untilItListens(child, path);
  };
  const stop = async (): Promise<void> => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  };
  await restart();
  return { path, kill, restart, stop };
}

async function untilItListens(child: ChildProcess, path: string): Promise<void> {
  for (let look = 0; look < 500; look++) {
    if (existsSync(path)) return;
    if (child.exitCode !== null) throw new Error(`redis-server ended with code ${child.exitCode}`);
    await sleep(systemClock, 10);
  }
  throw new Error('redis-server did not open its socket within 5 s');
}
