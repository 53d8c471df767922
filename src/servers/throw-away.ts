/** A server process to throw away: it can be killed and started again, and is gone with its folder when its starter is. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { type Clock, sleep, systemClock } from '../core/time.ts';

/** A started server. */
export interface Server {
  /** How a client reaches it over TCP; the same after a restart. */
  readonly url: string;
  /** Ends it at once, as a crash would; what is on its disk stays. */
  kill(): Promise<void>;
  /** Stops its process where it is (SIGSTOP), and lets it go on: its connections stay, and nobody answers on them. */
  freeze(): void;
  thaw(): void;
  /** Starts it again after a kill, at the same address and on the same disk. Resolves when it takes connections. */
  restart(): Promise<void>;
  /** Ends it and removes its disk. */
  stop(): Promise<void>;
}

/** What one kind of server needs to be started. */
export interface Recipe {
  readonly program: string;
  readonly args: readonly string[];
  /** Its own: removed by `stop`, or when the process that started it is gone. */
  readonly folder: string;
  readonly user?: User | undefined;
  /** What ends it at once. */
  readonly signal: 'SIGKILL' | 'SIGQUIT';
  readonly isReady: () => boolean | Promise<boolean>;
}

/** Whom a server runs as, when not as who started it. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Crash recovery of what tests and torture leave behind takes less than this on a busy machine. */
const readyWithinMs = 60_000;
const lookEveryMs = 10;

/** Starts it; rejects with the end of its log when it does not come up. */
export async function startServer(recipe: Recipe): Promise<Omit<Server, 'url'>> {
  let running: Running | null = null;
  const kill = async (): Promise<void> => {
    const ending = running;
    running = null;
    await ending?.end();
  };
  const restart = async (): Promise<void> => {
    running = await run(recipe);
  };
  const stop = async (): Promise<void> => {
    await kill();
    rmSync(recipe.folder, { recursive: true, force: true });
  };
  try {
    await restart();
  } catch (error) {
    await stop();
    throw error;
  }
  const freeze = (): void => running?.send('SIGSTOP');
  const thaw = (): void => running?.send('SIGCONT');
  return { kill, freeze, thaw, restart, stop };
}

interface Running {
  send(signal: NodeJS.Signals): void;
  end(): Promise<void>;
}

async function run(recipe: Recipe): Promise<Running> {
  mkdirSync(recipe.folder, { recursive: true });
  const log = openSync(join(recipe.folder, 'log'), 'a');
  const child = spawn(recipe.program, recipe.args, {
    cwd: recipe.folder,
    // Ctrl-C in a terminal goes to the whole group: its starter decides when it ends.
    detached: true,
    stdio: ['ignore', log, log],
    ...recipe.user,
  });
  closeSync(log);
  await once(child, 'spawn');
  const keeper = keep(child, recipe);
  // A program that forgets it may end all the same: then the keeper ends the server.
  child.unref();
  const end = async (): Promise<void> => {
    keeper.kill('SIGKILL');
    keeper.stdin?.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, 'exit');
    child.kill(recipe.signal);
    await ended;
  };
  try {
    await untilReady(child, recipe, systemClock);
  } catch (error) {
    await end();
    throw error;
  }
  return { send: (signal) => void child.kill(signal), end };
}

/** Whoever started a server may be killed in the middle: then the pipe to this one ends, and with it server and folder. */
function keep(child: ChildProcess, { folder, signal }: Recipe): ChildProcess {
  const script = `read -r _; kill -${signal.slice(3)} $0 2> /dev/null
    for look in 1 2 3 4 5 6 7 8 9; do kill -0 $0 2> /dev/null || break; sleep 0.2; done; rm -rf "$1"`;
  const keeper = spawn('sh', ['-c', script, String(child.pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  keeper.unref();
  if (keeper.stdin !== null && 'unref' in keeper.stdin) (keeper.stdin as unknown as { unref(): void }).unref();
  return keeper;
}

async function untilReady(child: ChildProcess, recipe: Recipe, clock: Clock): Promise<void> {
  const until = clock.elapsed() + readyWithinMs;
  while (!(await recipe.isReady())) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || clock.elapsed() > until) {
      const how = ended ? 'ended' : `does not listen after ${readyWithinMs / 1_000} s`;
      throw new Error(`${recipe.program} ${how}; the end of its log:\n${endOfLog(recipe.folder)}`);
    }
    await sleep(clock, lookEveryMs);
  }
}

function endOfLog(folder: string): string {
  return readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
}

/** Whether somebody listens at a socket: its file is there a moment before. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const answer = (does: boolean): void => {
      socket.destroy();
      resolve(does);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
