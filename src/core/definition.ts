/** A task definition in a process that has its code, and what a handler is given. */

import type { CodeSchedule } from './code-schedule.ts';
import type { DependsOn } from './dependency-option.ts';
import type { Duration } from './duration.ts';
import type { AsJson } from './json-type.ts';
import type { LimitTemplate } from './limit-rules.ts';
import type { Priority } from './priority.ts';
import type { TaskState } from './states.ts';
import type { IfExists, NewTask, ParentResult, Task } from './task.ts';
import type { Transaction } from './transaction.ts';

/**
 * Where a value made by `task()` or `contract()` carries its {@link TaskDefinition}: how discovery tells a task from
 * any other export. Registered, so that two copies of the package in one process find each other's tasks.
 */
export const definitionBrand = Symbol.for('taskflow.definition');

/** Where a handler's words go: kept with the attempt, shown live. Fields must be JSON. */
export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** What a handler knows and may do. After the lease is lost every method throws LEASE_LOST. */
export interface Context {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** 1 for the first charged run. */
  readonly attempt: number;
  /** `id:generation`: equal for every attempt, new after a retry by a person. Hand it to the systems you call. */
  readonly idempotencyKey: string;
  /** Grows with every claim of this task: a system that remembers the highest one can refuse a ghost. */
  readonly fencingToken: number;
  /** Aborts on timeout, cancellation, lost lease and the end of a shutdown's patience. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Reports how far the run is; kept at most once a second, the last one always. */
  progress(done: number, total?: number, note?: string): void;
  /**
   * Runs `fn` once for the life of the task: when the store has its value, later attempts are given the value and do not
   * run it. The promise resolves after the store has said so, with what the value is as JSON. Between the two the process
   * may die: then `fn` runs again. What `fn` throws is not kept. A retry by a person begins without any step.
   *
   * Names are unique in a run (STEP_NAME_TAKEN). Rejects with STEP_TOO_LARGE and PAYLOAD_NOT_JSON for what cannot be kept,
   * and with LEASE_LOST when the run no longer speaks for the task.
   *
   * @example
   * const charge = await ctx.step('charge', () => payments.charge(order.id, ctx.idempotencyKey));
   * await ctx.step('mail', () => mailer.receipt(order.email, charge.receiptUrl));
   */
  step<Value>(name: string, fn: () => Value | Promise<Value>): Promise<AsJson<Value>>;
  /** The tasks it waited for, as they stood when it was claimed, in the order of `dependsOn`. */
  readonly parents: readonly Parent[];
  /** What those parents returned that are tasks of `ref` and succeeded, in their order. */
  resultsOf<Output>(ref: TaskLike<unknown, Output>): Output[];
  /**
   * Brings a task along, which is stored in the same step as the success of this run: when the run fails, or somebody else
   * has taken it over, there is no such task. It belongs to the flow of this one. At most 1,000 in a run, of 4 MiB together.
   *
   * Rejects like `enqueue`; a key that is held is not an error, and stores nothing unless `ifExists` says so.
   *
   * @example
   * const parts = await Promise.all(pages.map((page) => ctx.spawn(renderPage, { page })));
   * await ctx.spawn(bindBook, { bookId }, { dependsOn: parts });
   */
  spawn<Input>(ref: TaskLike<Input, unknown>, input: Input, options?: SpawnOptions): Promise<Spawned>;
  /**
   * Ends the task in your own open transaction, so that what it did there and its end are one commit: exactly once, whatever
   * dies. Do it last, commit, and return what it resolves to, which is the result. The handler's own return value counts no
   * more; when it returns without a commit the run has failed (TX_NOT_COMMITTED).
   *
   * Rejects with LEASE_LOST when another run has the task, or has ended it, TASK_CANCELLED, TX_NOT_JOINABLE, INVALID_OUTPUT or
   * RESULT_TOO_LARGE: let it out, after a rollback. It may be called again in a transaction that takes the place of one that
   * was rolled back.
   *
   * @example
   * export const bookTask = task('shop.book', {
   *   input: z.object({ orderId: z.string() }),
   *   async run({ orderId }, ctx) {
   *     const tx = new DatabaseSync('./app.db', { timeout: 5_000 });
   *     tx.exec('BEGIN IMMEDIATE');
   *     tx.prepare('UPDATE orders SET booked = 1 WHERE id = ?').run(orderId);
   *     const result = await ctx.complete({ orderId }, { tx });
   *     tx.exec('COMMIT');
   *     return result;
   *   },
   * });
   */
  complete<Result>(result: Result, options: { readonly tx: Transaction }): Promise<Result>;
}

/** Any task or contract, as far as types go. */
export interface TaskLike<Input, Output> {
  readonly name: string;
  readonly '~types': { readonly input: Input; readonly output: Output };
}

/** A task that was waited for. */
export interface Parent {
  readonly id: string;
  /** `null`, like the rest, when it was removed. */
  readonly name: string | null;
  readonly state: TaskState | null;
  /** What it returned; `undefined` when it did not succeed. */
  readonly result: unknown;
  /** What it failed with, with its name, words and stack of the worker. */
  readonly error: Error | null;
}

/** How a spawned task differs from its definition: the options of `enqueue` that make sense for it. */
export interface SpawnOptions {
  readonly delay?: Duration;
  readonly at?: Date;
  readonly priority?: Priority;
  readonly queue?: string;
  readonly tags?: readonly string[];
  readonly key?: string;
  readonly keyFor?: Duration;
  readonly ifExists?: IfExists;
  readonly startWithin?: Duration;
  readonly expiresIn?: Duration;
  readonly group?: string;
  /** Number of attempts. */
  readonly retry?: number;
  /** Tasks it waits for: others spawned here, or any that exist. */
  readonly dependsOn?: readonly DependsOn[];
  /** Waiting tasks that wait for it from now on, and what its failure means for them. Those that run or have ended do not. */
  readonly blocks?: readonly DependsOn[];
}

/** A task that will be there when this run has succeeded. */
export interface Spawned {
  readonly id: string;
}

/** Where a context keeps what only the parts of TaskFlow need. */
export const contextInternals = Symbol('taskflow.contextInternals');

/** What a flow needs of its run. */
export interface ContextInternals {
  readonly task: Task;
  readonly parents: readonly ParentResult[];
  /** Adds a task that is complete. Throws BATCH_TOO_LARGE. */
  add(task: NewTask): void;
}

/** What a handler returns to run again when the tasks that it spawned, and that hold it back, have ended. */
export const waits = Symbol('taskflow.waits');

/**
 * One task as the code defines it, with everything normalised. Made by `task()` and `contract()`; read by the client
 * (to enqueue), the worker (to run) and the presence (to publish).
 */
export interface TaskDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly queue: string;
  readonly timeoutMs: number | null;
  /** Normalised policy as JSON text (core/policy.ts). */
  readonly policy: string;
  readonly isolate: 'none' | 'process';
  /** Memory of the process of an isolated task, or `null` for the worker's default. */
  readonly memoryMb: number | null;
  /** The file that exports the task, as its own code says (`import.meta.url`), or `null`. */
  readonly file: string | null;
  /** Templates over the input, or `null`. */
  readonly key: string | null;
  readonly keyForMs: number | null;
  readonly ifExists: IfExists;
  /** Whether a success that arrives after a cancel request is dropped too. */
  readonly strictCancel: boolean;
  readonly group: string | null;
  readonly limits: readonly LimitTemplate[];
  /** JSON Schema of the input when its library can give one, else `null`. */
  readonly inputSchema: unknown;
  /** Short hash of the input schema, or `null`. */
  readonly schemaVersion: string | null;
  /**
   * Validates and transforms an input; rejects with INVALID_INPUT that names every wrong path. A promise only when the
   * schema gives one, else the value or the thrown error at once: a bulk enqueue calls it for every input.
   */
  parseInput(input: unknown): unknown;
  /** The same for what the handler returned; the value itself when there is no output schema. */
  parseOutput(output: unknown): unknown;
  /**
   * Asked by the worker after an error, with the number of this attempt: `false` ends the task, `true` follows the
   * policy, a duration is the delay before the next attempt. `null`: every error follows the policy.
   */
  readonly retryOn: ((error: unknown, attempt: number) => boolean | Duration) | null;
  /**
   * The schedules that were made of it, by name: how a worker finds the function that makes an input. Absent where no code
   * of this process made the definition.
   */
  readonly schedules?: ReadonlyMap<string, CodeSchedule>;
  /** Whether it stands for a flow: its id is the name of that. */
  readonly isFlow?: boolean;
  /** Further tasks that a worker needs to run it: the steps of a flow. */
  readonly parts?: readonly TaskDefinition[];
  /** `null` for a contract that nobody has implemented here. */
  readonly run: ((input: unknown, context: Context) => unknown) | null;
}

/** `parseInput` of a definition that takes any input. */
export function anyInput(input: unknown): unknown {
  return input;
}

/** Whether anything of a task is rendered from its input. */
export function isRendered({ key, group, limits }: Pick<TaskDefinition, 'key' | 'group' | 'limits'>): boolean {
  return key !== null || group !== null || limits.length > 0;
}

/** The definition a value carries, or `null` when it is not a task. */
export function definitionOf(value: unknown): TaskDefinition | null {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function') || !(definitionBrand in value))
    return null;
  return value[definitionBrand] as TaskDefinition;
}

/** The definition with all that it needs to run, each once. */
export function withParts(definition: TaskDefinition): readonly TaskDefinition[] {
  return [definition, ...(definition.parts ?? [])];
}

/** What a middleware sees of a run. */
export interface MiddlewareRun {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly input: unknown;
}

/** Wraps every run of a worker: call `next` once and return (or replace) what it resolves to. */
export type Middleware = (run: MiddlewareRun, next: () => Promise<unknown>) => Promise<unknown>;
