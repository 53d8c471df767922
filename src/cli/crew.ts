/** The workers of `up`: one that works, and while code is reloaded another that drains. Each is a process of its own. */

import { basename } from 'node:path';
import process from 'node:process';
import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { isoTime, systemClock } from '../core/time.ts';
import type { Call } from './command.ts';
import { paint } from './terminal.ts';
import { clockTime } from './times.ts';
import { watchFiles } from './watch-files.ts';
import { type Loaded, startWorkerProcess, type WorkerProcess } from './worker-process.ts';

export interface Crew {
  /** What the worker found that works now; `null` while there is none. */
  readonly loaded: Loaded | null;
  /** Calls `listener` whenever a process has ended. */
  onEnd(listener: () => void): void;
  /** Puts a new process in the place of the one that works. */
  reload(): void;
  /** Resolves when every process has ended. */
  stop(drainMs: number | null): Promise<void>;
}

/** A worker that dies is followed by another one, later each time, until one has lived for so long. */
const livedMs = 30_000;
const pauseMs = 500;
/** Wrong usage: see the exit codes. */
const usageExitCode = 2;

/**
 * Starts the first worker and watches the task files; resolves when it works, or could not be started. Resolves to an exit
 * code when the worker refused what it was told, and has said why.
 */
export async function startCrew(call: Call, url: string): Promise<Crew | number> {
  const crew = new WorkerCrew(call, url, (await call.config()).settings);
  await crew.replace([]);
  // What was typed will not be right when a file changes.
  if (crew.loaded !== null || crew.lastEnd !== usageExitCode) return crew;
  await crew.stop(0);
  return usageExitCode;
}

interface CrewSettings {
  readonly tasks: readonly string[];
  readonly 'worker.drain': number;
}

class WorkerCrew implements Crew {
  readonly #call: Call;
  readonly #url: string;
  readonly #drainMs: number;
  readonly #all = new Set<WorkerProcess>();
  readonly #watch: ReturnType<typeof watchFiles>;
  #working: WorkerProcess | null = null;
  #loaded: Loaded | null = null;
  #replacing: Promise<void> = Promise.resolve();
  #waiting: Set<string> | null = null;
  #deaths = 0;
  /** The one that was told to restart last. */
  #restarting: WorkerProcess | null = null;
  #stopped = false;
  #onEnd = (): void => undefined;
  /** How the last process ended. */
  lastEnd: number | string | null = null;

  constructor(call: Call, url: string, settings: CrewSettings) {
    this.#call = call;
    this.#url = url;
    this.#drainMs = settings['worker.drain'];
    this.#watch = watchFiles({
      folders: settings.tasks,
      clock: systemClock,
      onChange: (files) => void this.replace(files),
    });
    // Who leaves at once leaves nobody behind.
    process.on('exit', () => {
      for (const one of this.#all) one.kill();
    });
  }

  get loaded(): Loaded | null {
    return this.#loaded;
  }

  onEnd(listener: () => void): void {
    this.#onEnd = listener;
  }

  reload(): void {
    void this.replace([]);
  }

  /** One after the other; what changes meanwhile is loaded by the next. */
  replace(files: readonly string[]): Promise<void> {
    if (this.#waiting !== null) {
      for (const file of files) this.#waiting.add(file);
      return this.#replacing;
    }
    const waiting = new Set(files);
    this.#waiting = waiting;
    this.#replacing = this.#replacing.then(() => {
      this.#waiting = null;
      return this.#replaceNow([...waiting]);
    });
    return this.#replacing;
  }

  async #replaceNow(files: readonly string[]): Promise<void> {
    if (this.#stopped) return;
    const startedAt = systemClock.elapsed();
    const former = this.#working;
    const next = this.#start();
    const loaded = await next.loaded;
    if (loaded !== null) this.#watch.add(loaded.imported);
    if (this.#stopped) return next.leave();
    if (loaded === null || (loaded.failures > 0 && former !== null)) {
      next.leave();
      await this.#tellKept(next, loaded, former);
      return;
    }
    this.#working = next;
    this.#loaded = loaded;
    const begun = next.begin();
    if (former !== null) void former.stop(null, this.#patienceMs(null));
    await begun;
    if (former !== null) this.#tellReloaded(loaded, files, systemClock.elapsed() - startedAt);
  }

  #start(): WorkerProcess {
    const startedAt = systemClock.elapsed();
    const one = startWorkerProcess(systemClock, this.#url, () => this.#follow(one, 'restart'));
    this.#all.add(one);
    void one.ended.then(async (how) => {
      this.#all.delete(one);
      this.lastEnd = how;
      this.#onEnd();
      // Told to end, it may be gone before the one that follows it has loaded.
      if (this.#restarting === one) await this.#replacing;
      if (this.#working !== one || this.#stopped) return;
      if (systemClock.elapsed() - startedAt > livedMs) this.#deaths = 0;
      this.#deaths += 1;
      const delayMs = Math.min(limits.backoffMaxMs, pauseMs * 2 ** (this.#deaths - 1));
      this.#call.output.warn(`The worker ended (${how}); another one begins in ${formatDuration(delayMs)}.`);
      systemClock.schedule(delayMs, () => this.#follow(one, 'death'));
    });
    return one;
  }

  /** Another one begins where this one was told to end, or died. */
  #follow(one: WorkerProcess, why: 'restart' | 'death'): void {
    if (this.#working !== one) return;
    if (why === 'death') this.#working = null;
    else this.#restarting = one;
    void this.replace([]);
  }

  async #tellKept(next: WorkerProcess, loaded: Loaded | null, former: WorkerProcess | null): Promise<void> {
    const how = loaded === null ? ` The new worker ended while it loaded them (${await next.ended}).` : '';
    const { output } = this.#call;
    if (former === null && (await next.ended) === usageExitCode) return;
    if (former === null) output.warn(`No worker:${how} It is tried again when a file changes.`);
    else {
      output.event({ event: 'kept', at: isoTime(systemClock.now()), failures: loaded?.failures ?? 1 }, () => []);
      output.warn(`The task files could not be loaded.${how} The code that was loaded before goes on.`);
    }
  }

  #tellReloaded(loaded: Loaded, files: readonly string[], ms: number): void {
    const { output } = this.#call;
    const names = Object.keys(loaded.files);
    const changed = names.filter((name) => files.some((file) => file.endsWith(`/${loaded.files[name]}`)));
    const what = (changed.length > 0 ? changed : files.map((file) => basename(file))).slice(0, 5).join(', ');
    const document = {
      event: 'reloaded',
      at: isoTime(systemClock.now()),
      tasks: names.length,
      changed,
      files,
      tookMs: Math.round(ms),
    };
    output.event(document, () => [
      `  ${paint(output.terminal, clockTime(systemClock.now()), 'muted')}  reloaded ${names.length} ${names.length === 1 ? 'task' : 'tasks'} in ${formatDuration(Math.round(ms))}${what === '' ? '' : ` (${what} changed)`}`,
    ]);
  }

  /** What a worker may take, and a little more for the end of its process. */
  #patienceMs(drainMs: number | null): number {
    return (drainMs ?? this.#drainMs) + limits.abortMs + 3 * limits.flushMs;
  }

  async stop(drainMs: number | null): Promise<void> {
    this.#stopped = true;
    this.#watch.close();
    await Promise.all([...this.#all].map((one) => one.stop(drainMs, this.#patienceMs(drainMs))));
  }
}
