/** Real processes for end-to-end tests: starts them, hears what they say, kills them, and leaves none behind. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ProcessEntry } from '../../src/checker/evidence.ts';
import { noteProcess } from './logs.ts';

/** One line of a program's output that is JSON with an `event`. */
export interface Said {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Exit {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly pid: number;
  readonly said: readonly Said[];
  /** What it wrote to stderr so far. */
  readonly complaints: () => string;
  /** What it wrote to stdout so far, in whole lines. */
  readonly output: () => string;
  readonly exited: Promise<Exit>;
  readonly isRunning: () => boolean;
  send(signal: NodeJS.Signals): void;
  /** Writes a line to its stdin. */
  tell(line: string): void;
  /** The first thing it said with this event that is what is meant, waited for. Rejects at once when it ends without it. */
  heard(event: string, isMeant?: (said: Said) => boolean): Promise<Said>;
}

export interface StartOptions {
  /** Runs it as this user and group: root may read and write anything. */
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** One scenario: a folder, the processes in it, and the end of both. */
export interface Scenario {
  readonly folder: string;
  /** Path of the store's file in the folder. */
  readonly file: string;
  /** Starts a program of `fixtures/` with its settings as JSON. */
  start(program: string, settings: object, options?: StartOptions): Child;
  /** Runs the command line as people do, in the folder and on its store. */
  command(args: readonly string[], options?: StartOptions): Child;
  /** Lets the handlers go on that wait at this gate. */
  open(gate: string): void;
  /** Runs `undo` at the end, whatever happened; the last added first. */
  atEnd(undo: () => void): void;
  end(): Promise<void>;
}

/** For servers that tests ask without a key. */
export const withoutKeys = { TASKFLOW_SERVER_AUTH: 'none' } as const;

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const commandLine = fileURLToPath(new URL('../../bin/taskflow.js', import.meta.url));
const running = new Set<ChildProcess>();
/** What each process of the scenarios under way has to say for itself when something does not come true. */
const accounts = new Set<() => string>();

// A test that times out ends this process before its own clean-up.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Everything in it is gone when `end` resolves; call that in `afterEach`. */
export function createScenario(): Scenario {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-e2e-'));
  // For programs that run as another user.
  chmodSync(folder, 0o755);
  const file = join(folder, 'store.db');
  const children: Child[] = [];
  const own = (child: Child): Child => {
    children.push(child);
    return child;
  };
  const undos: (() => void)[] = [];
  return {
    folder,
    file,
    start: (program, settings, options) =>
      own(startChild(folder, [join(fixtures, program), JSON.stringify({ folder, ...settings })], options)),
    command: (args, options = {}) =>
      own(
        startChild(folder, [commandLine, ...args], {
          cwd: folder,
          ...options,
          env: { TASKFLOW_BROKER: `sqlite:${file}`, ...withoutKeys, ...options.env },
        }),
      ),
    open: (gate) => writeFileSync(join(folder, `${gate}.gate`), ''),
    atEnd: (undo) => void undos.unshift(undo),
    async end() {
      // SIGKILL ends stopped processes as well.
      for (const child of children) child.send('SIGKILL');
      await Promise.all(children.map((child) => child.exited));
      for (const undo of undos) undo();
      accounts.clear();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a signal makes of a process at once. */
const fateOf: Partial<Record<NodeJS.Signals, ProcessEntry['what']>> = {
  SIGKILL: 'gone',
  SIGSTOP: 'frozen',
  SIGCONT: 'thawed',
};

function startChild(
  folder: string,
  argv: readonly string[],
  { uid, cwd, env = {} }: StartOptions & { readonly cwd?: string } = {},
): Child {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...argv], {
    stdio: 'pipe',
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  running.add(child);
  const pid = child.pid ?? 0;
  const said: Said[] = [];
  let complaints = '';
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (line.startsWith('{"event":')) said.push(JSON.parse(line) as Said);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  // It may be gone before it has read what it was told.
  child.stdin.on('error', () => undefined);
  // `close` and not `exit`: then everything it said has arrived.
  const exited = once(child, 'close').then(([code, signal]): Exit => {
    running.delete(child);
    if (existsSync(folder)) noteProcess(folder, pid, 'gone');
    return { code: code as number | null, signal: signal as NodeJS.Signals | null };
  });
  const isRunning = (): boolean => running.has(child);
  accounts.add(() => {
    const state = isRunning() ? 'running' : `ended with ${child.exitCode ?? child.signalCode}`;
    const words = [...said.slice(-10).map((one) => JSON.stringify(one)), complaints.slice(-2_000)];
    return [`${child.pid} ${argv.join(' ')}: ${state}`, ...words].join('\n  ');
  });
  return {
    pid,
    said,
    complaints: () => complaints,
    output: () => lines.join('\n'),
    exited,
    isRunning,
    send(signal) {
      const fate = fateOf[signal];
      // Before it is done: a process must not be blamed for a moment in which it may have been gone already.
      if (fate !== undefined && isRunning()) noteProcess(folder, pid, fate);
      child.kill(signal);
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    async heard(event, isMeant = () => true) {
      const find = (): Said | undefined => said.find((one) => one.event === event && isMeant(one));
      await until(`${argv[0]} says ${event}`, () => find() !== undefined || !isRunning(), { facts: () => complaints });
      const found = find();
      if (found === undefined) throw new Error(`It ended without saying ${event}:\n${complaints}`);
      return found;
    },
  };
}

export interface UntilOptions {
  /** 90 s when left out: a process that takes one begins beside dozens that others have started. */
  readonly withinMs?: number;
  /** What to show when it did not come true. */
  readonly facts?: () => unknown;
}

/** Looks every few milliseconds; throws with `sentence` when it has not come true by the deadline. */
export async function until(
  sentence: string,
  holds: () => boolean | Promise<boolean>,
  { withinMs = 90_000, facts }: UntilOptions = {},
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      const seen = facts === undefined ? '' : JSON.stringify(facts());
      throw new Error(
        [`Not within ${withinMs} ms: ${sentence}`, seen, ...[...accounts].map((tell) => tell())].join('\n'),
      );
    }
    await wait(10);
  }
}

/** A user who is not root, to test what root is never refused; `undefined` when this process is not root itself. */
export const nobody: number | undefined = process.getuid?.() === 0 ? 65_534 : undefined;
