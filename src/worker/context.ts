/** What a handler is given: facts about its run, a signal, two ways to speak, and a way to remember. */

import {
  type Context,
  type ContextInternals,
  contextInternals,
  type Log,
  type Parent,
  type Spawned,
  type SpawnOptions,
  type TaskLike,
} from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import type { AsJson } from '../core/json-type.ts';
import { limits } from '../core/limits.ts';
import type { LogLevel, LogLine, Progress } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import type { Attempt } from './attempt.ts';
import { parentOf } from './parents.ts';
import { prepareSpawn } from './relatives.ts';
import { Steps } from './steps.ts';

/** Whom a context calls when the store should hear something before the next renewal. */
export interface ContextOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** Soon: progress, log lines. */
  readonly onNews: () => void;
  /** At once: a handler waits for it. */
  readonly onStep: () => void;
  /** Ends the run in a transaction of its handler's. */
  readonly complete: (attempt: Attempt, result: unknown, tx: unknown) => Promise<void>;
}

/** Makes the context of one attempt. */
export function createContext(attempt: Attempt, options: ContextOptions): Context {
  return new HandlerContext(attempt, options);
}

/** A class, not a literal: one shape and no closures for each of thousands of runs a second. */
class HandlerContext implements Context {
  readonly #attempt: Attempt;
  readonly #options: ContextOptions;
  #log: Log | null = null;
  #parents: readonly Parent[] | null = null;

  constructor(attempt: Attempt, options: ContextOptions) {
    this.#attempt = attempt;
    this.#options = options;
  }

  get id(): string {
    return this.#attempt.task.id;
  }

  get name(): string {
    return this.#attempt.task.name;
  }

  get queue(): string {
    return this.#attempt.task.queue;
  }

  get attempt(): number {
    return this.#attempt.task.attempt;
  }

  get idempotencyKey(): string {
    return `${this.#attempt.task.id}:${this.#attempt.task.generation}`;
  }

  get fencingToken(): number {
    return this.#attempt.task.epoch;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get log(): Log {
    this.#log ??= {
      debug: (message, fields) => this.#write('debug', message, fields),
      info: (message, fields) => this.#write('info', message, fields),
      warn: (message, fields) => this.#write('warn', message, fields),
      error: (message, fields) => this.#write('error', message, fields),
    };
    return this.#log;
  }

  progress(done: number, total?: number, note?: string): void {
    const attempt = this.#attempt;
    attempt.assertHeld();
    // A share of nothing is a common NaN: a wrong number in a report must not fail the work it reports on.
    if (!Number.isFinite(done) || (total !== undefined && !Number.isFinite(total))) {
      this.#write('warn', `progress(${done}, ${total}) was ignored: it takes finite numbers`, undefined);
      return;
    }
    attempt.keepProgress({
      done,
      total: total ?? null,
      note: note === undefined ? null : cut(String(note), limits.progressNoteMax),
    });
    attempt.lastWords = attempt.progress === null ? null : progressWords(attempt.progress);
    this.#options.onNews();
  }

  /** An async function, so that whatever is wrong rejects and nothing throws. */
  async step<Value>(name: string, fn: () => Value | Promise<Value>): Promise<AsJson<Value>> {
    const attempt = this.#attempt;
    const assertRuns = (): void => this.#assertRuns();
    assertRuns();
    attempt.lastWords = `step ${cut(String(name), limits.progressNoteMax)}`;
    attempt.steps ??= new Steps(attempt.task, this.#options.onStep);
    return (await attempt.steps.run(name, fn, assertRuns)) as AsJson<Value>;
  }

  get parents(): readonly Parent[] {
    this.#parents ??= this.#attempt.parents.map(parentOf);
    return this.#parents;
  }

  resultsOf<Output>({ name }: TaskLike<unknown, Output>): Output[] {
    return this.parents.filter((parent) => parent.name === name && parent.state === 'succeeded').map(resultOf<Output>);
  }

  async spawn<Input>(ref: TaskLike<Input, unknown>, input: Input, options: SpawnOptions = {}): Promise<Spawned> {
    const attempt = this.#attempt;
    this.#assertRuns();
    const task = await prepareSpawn(attempt, ref, input, options);
    this.#assertRuns();
    attempt.spawn(task);
    return { id: task.id };
  }

  async complete<Result>(result: Result, { tx }: { readonly tx: unknown }): Promise<Result> {
    this.#assertRuns();
    await this.#options.complete(this.#attempt, result, tx);
    return result;
  }

  get [contextInternals](): ContextInternals {
    const attempt = this.#attempt;
    return {
      task: attempt.task,
      parents: attempt.parents,
      add: (task) => {
        this.#assertRuns();
        attempt.spawn(task);
      },
    };
  }

  #assertRuns(): void {
    this.#attempt.assertHeld();
    if (this.#attempt.phase !== 'running') throw taskFlowError('LEASE_LOST', { id: this.#attempt.task.id });
  }

  #write(level: LogLevel, message: string, fields: object | undefined): void {
    const attempt = this.#attempt;
    attempt.assertHeld();
    if (!attempt.takesLogs) return;
    attempt.keepLog(this.#line(level, message, fields));
    this.#options.onNews();
  }

  #line(level: LogLevel, message: string, fields: object | undefined): LogLine {
    return {
      at: this.#options.clock.now(),
      level,
      message: cut(String(message), limits.logLineMax),
      fields: fields === undefined ? null : fieldsText(fields),
    };
  }
}

function resultOf<Output>({ result }: Parent): Output {
  return result as Output;
}

function progressWords({ done, total, note }: Progress): string {
  return [total === null ? `${done}` : `${done} of ${total}`, ...(note === null ? [] : [note])].join(', ');
}

/** Logging must not fail the work: what is no JSON, or too much of it, is replaced by a word about that. */
function fieldsText(fields: object): string {
  try {
    const text = JSON.stringify(fields) ?? 'null';
    return text.length <= limits.logFieldsBytesMax / 3 || Buffer.byteLength(text) <= limits.logFieldsBytesMax
      ? text.toWellFormed()
      : JSON.stringify({ dropped: `fields larger than ${limits.logFieldsBytesMax} bytes` });
  } catch (error) {
    return JSON.stringify({
      dropped: `fields that are not JSON: ${cut(error instanceof Error ? error.message : 'unknown', 200)}`,
    });
  }
}

function cut(text: string, max: number): string {
  return (text.length <= max ? text : `${text.slice(0, max - 1)}…`).toWellFormed();
}
