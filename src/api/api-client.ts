/** A client for programs that talk HTTP with a server: every operation of the registry as a typed method, made from the registry. */

import { type Chance, systemChance } from '../core/chance.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { createIds, parseId } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import type { TaskState } from '../core/states.ts';
import { outputOf } from '../core/task-end.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Operation } from '../operations/operation.ts';
import type { InputOf, OperationName, OutputOf } from '../operations/registry.ts';
import type { ResultsDocument } from '../operations/task-results.ts';
import { followLive } from '../remote/follow-live.ts';
import type { ResultAsks } from '../remote/result-wait.ts';
import { createResultWaits } from '../remote/result-waits.ts';
import { type Connection, callOperation, waitOf, withIds } from './api-call.ts';

export interface ApiClientOptions {
  /** Of the server, such as `http://127.0.0.1:8000`; what is behind its host is kept. */
  readonly url: string;
  /** A key of a program, mostly from the environment. Sent with each call; never part of an error. */
  readonly token?: string | undefined;
  /** Replaces the `fetch` of this process: a proxy, an agent, a test. */
  readonly fetch?: (request: Request) => Promise<Response>;
  /** How long one try of a call may take, beside what it asks the server to wait; 30 s when not given. */
  readonly timeout?: Duration;
}

export interface ApiCallOptions {
  /** Ends the call, and its retries, with the signal's reason. */
  readonly signal?: AbortSignal;
  /** In the place of the client's. */
  readonly timeout?: Duration;
}

type Noun<Name> = Name extends `${infer Word}.${string}` ? Word : never;
type Camel<Word extends string> = Word extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : Word;

/** An input of which nothing has to be given may be left out. */
type Parameters<Input> =
  Record<never, never> extends Input
    ? readonly [input?: Input, options?: ApiCallOptions]
    : readonly [input: Input, options?: ApiCallOptions];

/** `client.task.cancel({ id })`: each operation by its noun and verb. Rejects with the TaskFlowError that the server tells. */
export type ApiClient = {
  readonly [Word in Noun<OperationName>]: {
    readonly [Name in OperationName as Name extends `${Word}.${infer Verb}` ? Camel<Verb> : never]: (
      ...parameters: Parameters<InputOf<Name>>
    ) => Promise<OutputOf<Name>>;
  };
} & {
  /** The handle of a task by its id. Throws INVALID_ID. However many are waited for, a few connections do. */
  handle<Output = unknown>(taskId: string): ApiHandle<Output>;
};

/** One task of a server, seen from a program that talks HTTP with it. */
export interface ApiHandle<Output = unknown> {
  readonly id: string;
  /** The state now. Rejects with TASK_NOT_FOUND when its retention is over. */
  state(options?: ApiCallOptions): Promise<TaskState>;
  /**
   * Waits until the task has ended and gives what its handler returned. Never waits longer than `timeout`, 5 minutes when not given, through
   * servers that begin anew. Rejects with TASK_FAILED (the handler's error as `cause`), TASK_CANCELLED, RESULT_TIMEOUT, RESULT_HIDDEN,
   * TASK_NOT_FOUND, what the server refuses, or the reason of `signal`. The wait's end does not end the task.
   */
  result(options?: ApiCallOptions): Promise<Output>;
}

/** What a client takes from outside; tests bring their own. */
export interface ApiClientParts {
  readonly clock: Clock;
  readonly chance: Chance;
}

type AnyOperation = Operation<unknown, unknown>;
type Input = Readonly<Record<string, unknown>>;

/**
 * Makes a client. It connects with the first call. A call that can be made twice without harm (what only reads, and an enqueue, which gets
 * an id here) is tried again when the server cannot be reached or is busy, up to `limits.apiTriesMax` times, after as long as the server asks
 * for; any other is made once.
 *
 * @example
 * const client = createApiClient({ url: 'http://127.0.0.1:8000', token: process.env.TASKFLOW_TOKEN });
 * const { id } = await client.task.enqueue({ name: 'email.welcome', input: { userId: 'ada' } });
 */
export function createApiClient(
  options: ApiClientOptions,
  { clock, chance }: ApiClientParts = { clock: systemClock, chance: systemChance },
): ApiClient {
  const { url, token = null, fetch: send = (request: Request) => fetch(request) } = options;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw invalidOption('url', 'the address of a server is needed, such as http://127.0.0.1:8000');
  const timeoutMs = parseDuration(options.timeout ?? limits.apiCallMs, 'timeout', { min: 1 });
  const connection: Connection = { url: url.replace(/\/+$/, ''), token, fetch: send, clock, chance };
  const ids = createIds(clock, chance);
  const handle = createHandles(connection, timeoutMs);
  return byName((noun): unknown =>
    noun === 'handle'
      ? handle
      : byName((verb) => async (input: Input = {}, { signal, timeout }: ApiCallOptions = {}) => {
          const operation = await find(noun, verb);
          const ownMs = timeout === undefined ? timeoutMs : parseDuration(timeout, 'timeout', { min: 1 });
          signal?.throwIfAborted();
          return callOperation(connection, operation, withIds(ids, operation, input), {
            signal,
            timeoutMs: ownMs + waitOf(input),
          });
        }),
  ) as unknown as ApiClient;
}

function createHandles(connection: Connection, timeoutMs: number): ApiClient['handle'] {
  const { url, token, clock, chance, fetch: send } = connection;
  const many: ResultAsks['many'] = async (taskIds, waitMs, signal) => {
    const operation = await find('task', 'resultMany');
    const input = { ids: taskIds.join(','), ...(waitMs > 0 && { wait: waitMs }) };
    return (await callOperation(connection, operation, input, {
      signal,
      timeoutMs: timeoutMs + waitMs,
    })) as ResultsDocument;
  };
  const waits = createResultWaits({
    clock,
    many,
    follow: (options) =>
      followLive({
        ...options,
        ...{ url, clock, chance },
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
        fetch: (address, init) => send(new Request(address, init)),
      }),
  });
  return <Output>(taskId: string): ApiHandle<Output> => {
    const id = parseId(taskId);
    return {
      id,
      async state({ signal = never } = {}) {
        const { results } = await many([id], 0, signal);
        const [task] = results;
        if (task === undefined) throw taskFlowError('TASK_NOT_FOUND', { id });
        return task.state;
      },
      async result({ timeout, signal } = {}) {
        const ownMs = parseDuration(timeout ?? limits.resultWaitMs, 'timeout', { min: 1 });
        const { hasResult, result, ...task } = await waits.finished(id, ownMs, signal);
        return outputOf({ ...task, result: hasResult ? JSON.stringify(result) : null }) as Output;
      },
    };
  };
}

const never = new AbortController().signal;

/** An object that makes each property when it is first asked for. `then` is none, so that it may be awaited. */
function byName<Value>(make: (name: string) => Value): Readonly<Record<string, Value>> {
  const made: Record<string, Value> = Object.create(null);
  return new Proxy(made, {
    get(_target, name) {
      if (typeof name !== 'string' || name === 'then') return undefined;
      made[name] ??= make(name);
      return made[name];
    },
  });
}

/** The registry is loaded with the first call: a program that only declares tasks does without. */
async function find(noun: string, verb: string): Promise<AnyOperation> {
  const { operations } = await import('../operations/registry.ts');
  const name = `${noun}.${verb.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const operation = (operations as unknown as Readonly<Record<string, AnyOperation>>)[name];
  if (operation === undefined || !Object.hasOwn(operations, name))
    throw invalidOption(`client.${noun}.${verb}`, 'there is no such operation');
  return operation;
}
