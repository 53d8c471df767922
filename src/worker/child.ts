/** One process for isolated tasks as its worker sees it: messages, output, memory, and its end. */

import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import { type Birth, endMark, type FromChild, type ToChild, type Vitals } from './child-messages.ts';
import { createOutputLines } from './output-lines.ts';

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why there was no process at all. */
  readonly problem: string | null;
  /** Whether it was killed by its worker. */
  readonly isOrdered: boolean;
}

/** What its present run listens to. */
export interface ChildListener {
  onMessage(message: FromChild): void;
  onLine(stream: 'stdout' | 'stderr', line: string): void;
  /** Its last output has been told before. */
  onExit(exit: Exit): void;
}

export interface Child {
  readonly memoryMb: number;
  /** Memory it was last heard to use. */
  readonly rssMb: number;
  /** Its last words on stderr. */
  readonly tail: readonly string[];
  readonly hasEnded: boolean;
  /** Resolves when it is gone. */
  readonly ended: Promise<void>;
  /** Set by the run that has it, `null` between two. */
  listener: ChildListener | null;
  send(message: ToChild): void;
  /** Resolves when both streams have come to the end of this run's output. */
  flushed(run: number): Promise<void>;
  /** Lets it end by itself. */
  dismiss(): void;
  /** Ends it now, with everything it started. */
  kill(): void;
}

export interface ChildOptions {
  readonly memoryMb: number;
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly graceMs: number;
  readonly clock: Clock;
}

const pipeIndex = 4;
/** In the repository the sources run as they are. */
const entry = fileURLToPath(new URL(`./child-main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));

export function startChild({ memoryMb, env, graceMs, clock }: ChildOptions): Child {
  const birth: Birth = { parentPid: process.pid, rssMaxMb: memoryMb + limits.isolateOverheadMb, graceMs };
  const spawned = spawn(process.execPath, [...nodeOptions(memoryMb), entry], {
    // A group of its own: Ctrl-C is for the worker to decide about, and killing the group leaves nothing behind.
    detached: true,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
    env: {
      ...process.env,
      ...env,
      _TASKFLOW_CHILD: JSON.stringify(birth),
    },
  });
  let problem: string | null = null;
  let isOrdered = false;
  let hasEnded = false;
  const ended = Promise.withResolvers<void>();
  const tail: string[] = [];
  const end = createEndOfOutput();

  function onLine(stream: 'stdout' | 'stderr', line: string): void {
    if (end.isMark(line)) return;
    if (stream === 'stderr') {
      tail.push(line);
      if (tail.length > limits.isolateTailLines) tail.shift();
    }
    child.listener?.onLine(stream, line);
  }

  function finish(): void {
    if (hasEnded) return;
    hasEnded = true;
    const { exitCode: code, signalCode: signal } = spawned;
    end.reached();
    child.listener?.onExit({ code, signal, problem, isOrdered });
    ended.resolve();
  }

  const child = {
    memoryMb,
    rssMb: 0,
    tail,
    get hasEnded() {
      return hasEnded;
    },
    ended: ended.promise,
    listener: null as ChildListener | null,
    send(message: ToChild) {
      // A process that is going tells so by its exit.
      if (spawned.connected) spawned.send(message, () => {});
    },
    async flushed(run: number): Promise<void> {
      // A handler may have closed a stream, or put something else in its place.
      const cancel = clock.schedule(limits.isolateExitMs, end.reached);
      await end.wait(run);
      cancel();
    },
    dismiss: () => void (spawned.connected && spawned.disconnect()),
    kill() {
      isOrdered = true;
      killGroup(spawned);
    },
  };
  listen(spawned, onLine, (vitals) => {
    child.rssMb = vitals.rssMb;
  });
  spawned.on('message', (message) => child.listener?.onMessage(message as FromChild));
  spawned.on('error', (error) => {
    problem = error.message;
    if (spawned.pid === undefined) finish();
  });
  spawned.on('exit', () => {
    // What its handlers started goes too, or it would hold the streams open; who left the group is not waited for.
    signalGroup(spawned.pid);
    const cancel = clock.schedule(limits.isolateExitMs, finish);
    // `close`: the last of its output has come.
    spawned.on('close', () => {
      cancel();
      finish();
    });
  });
  return child;
}

/** Counts the marks that a run leaves on both streams; they may come before or after its last message. */
function createEndOfOutput(): { isMark(line: string): boolean; wait(run: number): Promise<void>; reached(): void } {
  const prefix = endMark('');
  let run = 0;
  let streams = 0;
  let onReached: (() => void) | null = null;

  function reached(): void {
    onReached?.();
    onReached = null;
  }

  return {
    reached,
    isMark(line) {
      if (!line.startsWith(prefix)) return false;
      const marked = Number(line.slice(prefix.length));
      streams = marked === run ? streams + 1 : 1;
      run = marked;
      if (streams === 2) reached();
      return true;
    },
    wait: (wanted) =>
      wanted === run && streams === 2
        ? Promise.resolve()
        : new Promise((resolve) => {
            onReached = resolve;
          }),
  };
}

function listen(
  spawned: ChildProcess,
  onLine: (stream: 'stdout' | 'stderr', line: string) => void,
  onVitals: (vitals: Vitals) => void,
): void {
  read(spawned.stdout, (line) => onLine('stdout', line));
  read(spawned.stderr, (line) => onLine('stderr', line));
  read(spawned.stdio[pipeIndex] as Readable | null | undefined, (line) => {
    const vitals = parsed(line);
    if (vitals !== null) onVitals(vitals);
  });
}

function read(stream: Readable | null | undefined, onLine: (line: string) => void): void {
  const lines = createOutputLines(onLine);
  stream?.on('data', (chunk: Buffer) => lines.add(chunk));
  stream?.on('end', () => lines.end());
  stream?.on('error', () => {});
}

function parsed(line: string): Vitals | null {
  try {
    return JSON.parse(line) as Vitals;
  } catch {
    // Half a line of a process that was killed while it wrote.
    return null;
  }
}

/** The options this process was started with, but for those that would debug or run something else. */
function nodeOptions(memoryMb: number): string[] {
  const kept: string[] = [];
  for (let index = 0; index < process.execArgv.length; index++) {
    const option = process.execArgv[index] ?? '';
    if (/^(-e|-p|-pe|--eval|--print|--input-type|--inspect\S*|--title)$/.test(option)) {
      // Its value is an argument of its own.
      if (!/^--inspect/.test(option)) index += 1;
    } else if (!/^(--eval|--print|--input-type|--inspect|--max-old-space-size|--test|--watch|--title)/.test(option))
      kept.push(option);
  }
  // The worker has loaded the same files and told this once; here it would be a line in the log of every task.
  return [...kept, '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', `--max-old-space-size=${memoryMb}`];
}

function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (exitCode === null && signalCode === null) signalGroup(pid);
}

function signalGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}
