/** What an enqueue returns: the task's id, and ways to follow and to stop it. */

import type { Broker, CancelResult } from '../broker/broker.ts';
import type { Duration } from '../core/duration.ts';
import { parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { TaskState } from '../core/states.ts';
import { outputOf, type TaskEnd } from '../core/task-end.ts';
import type { Waiter } from './waiter.ts';

/** How long to wait for a result, and what ends the wait. */
export interface ResultOptions {
  /** 5 minutes (`limits.resultWaitMs`) when not given. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

/** What became of a wish to cancel: done, told to the worker that runs it, or too late. */
export type CancelAnswer = 'cancelled' | 'requested' | { readonly already: TaskState };

/** One enqueued task, seen from outside. */
export interface Handle<Output> {
  readonly id: string;
  /** Whether this call created the task; `false` when its key or id stood for one that exists. */
  readonly created: boolean;
  /** Its page on the dashboard. */
  readonly url: string;
  /** The state now. Rejects with TASK_NOT_FOUND when its retention is over. */
  state(): Promise<TaskState>;
  /**
   * Waits until the task is finished and gives what its handler returned, as JSON keeps it. Never waits longer than
   * `timeout`. Rejects with TASK_FAILED (the handler's error as `cause`), TASK_CANCELLED, RESULT_TIMEOUT,
   * TASK_NOT_FOUND, or the reason of `signal`. The wait's end does not end the task.
   */
  result(options?: ResultOptions): Promise<Output>;
  /**
   * Cancels a waiting task, asks a running one to stop; `reason` are words for people, 1,000 characters at most. Rejects
   * with TASK_NOT_FOUND or INVALID_OPTION.
   */
  cancel(reason?: string): Promise<CancelAnswer>;
  /**
   * Tells workers that the transaction it was enqueued in, with `tx`, has been committed. Without it they find the task by
   * themselves, a second later at most. One of many handles is enough. Does nothing to other tasks.
   */
  afterCommit(): Promise<void>;
}

/** What a handle needs of its client. */
export interface HandleContext {
  open(): Promise<Pick<Broker, 'getTasks' | 'endsOf' | 'cancel' | 'transactions'>>;
  readonly waiter: Waiter<TaskEnd>;
  /** Where the dashboard is; ends without a slash. */
  url(): string;
}

/** Makes the handle of a stored task. */
export function createHandle<Output>(context: HandleContext, id: string, created: boolean): Handle<Output> {
  return new TaskHandle(context, id, created);
}

/** A class, not a literal: a bulk enqueue makes thousands, most of which are never asked anything. */
class TaskHandle<Output> implements Handle<Output> {
  readonly id: string;
  readonly created: boolean;
  readonly #context: HandleContext;

  constructor(context: HandleContext, id: string, created: boolean) {
    this.id = id;
    this.created = created;
    this.#context = context;
  }

  get url(): string {
    return `${this.#context.url()}/tasks/${this.id}`;
  }

  async state(): Promise<TaskState> {
    const { id } = this;
    const broker = await this.#context.open();
    const [task] = await (broker.endsOf?.([id]) ?? broker.getTasks([id]));
    if (!task) throw taskFlowError('TASK_NOT_FOUND', { id });
    return task.state;
  }

  async result(options: ResultOptions = {}): Promise<Output> {
    const timeoutMs = parseDuration(options.timeout ?? limits.resultWaitMs, 'timeout', { min: 1 });
    return outputOf(await this.#context.waiter.finished(this.id, timeoutMs, options.signal)) as Output;
  }

  async cancel(reason?: string): Promise<CancelAnswer> {
    const { id } = this;
    const words = readReason(reason);
    const broker = await this.#context.open();
    const [answer] = await broker.cancel({ taskIds: [id], reason: words });
    return cancelAnswer(id, answer);
  }

  async afterCommit(): Promise<void> {
    await (await this.#context.open()).transactions?.announce();
  }
}

/** What a store answered, in the words of a handle. Throws TASK_NOT_FOUND. */
export function cancelAnswer(id: string, answer: CancelResult | undefined): CancelAnswer {
  if (answer === undefined || answer.outcome === 'unknown' || answer.outcome === 'forbidden')
    throw taskFlowError('TASK_NOT_FOUND', { id });
  return answer.outcome === 'already' ? { already: answer.state } : answer.outcome;
}

/** Words for people. Throws INVALID_OPTION. */
export function readReason(reason: unknown): string | null {
  if (reason === undefined) return null;
  if (typeof reason === 'string' && reason.length <= limits.errorMessageMax) return reason;
  throw invalidOption('The reason to cancel', `a text of at most ${limits.errorMessageMax} characters is needed`);
}
