/** A client for programs that talk HTTP with a server: every operation of the registry as a typed method, made from the registry. */

import { type Chance, systemChance } from '../core/chance.ts';
import { type ErrorCode, errorTable } from '../core/error-table.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { createIds, type Ids } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { type Clock, sleep, systemClock } from '../core/time.ts';
import type { Operation } from '../operations/operation.ts';
import type { InputOf, OperationName, OutputOf } from '../operations/registry.ts';

export interface ApiClientOptions {
  /** Of the server, such as `http://127.0.0.1:8000`; what is behind its host is kept. */
  readonly url: string;
  /** A key of a program, mostly from the environment. Sent with each call; never part of an error. */
  readonly token?: string | undefined;
  /** Replaces the `fetch` of this process: a proxy, an agent, a test. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface ApiCallOptions {
  /** Ends the call, and its retries, with the signal's reason. */
  readonly signal?: AbortSignal;
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
};

/** What a client takes from outside; tests bring their own. */
export interface ApiClientParts {
  readonly clock: Clock;
  readonly chance: Chance;
}

type AnyOperation = Operation<unknown, unknown>;
type Input = Readonly<Record<string, unknown>>;

interface Connection extends ApiClientParts, Required<Pick<ApiClientOptions, 'url' | 'fetch'>> {
  readonly token: string | null;
  readonly ids: Ids;
}

/**
 * Makes a client. It connects with the first call. A call that can be made twice without harm (what only reads, and an enqueue, which gets
 * an id here) is tried again when the server cannot be reached or is busy, up to `limits.apiTriesMax` times; any other is made once.
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
  const connection = { url: url.replace(/\/+$/, ''), token, fetch: send, clock, chance, ids: createIds(clock, chance) };
  return byName((noun) =>
    byName((verb) => async (input: Input = {}, { signal }: ApiCallOptions = {}) => {
      const operation = await find(noun, verb);
      return call(connection, operation, withIds(connection, operation, input), signal);
    }),
  ) as unknown as ApiClient;
}

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

const enqueues: ReadonlySet<string> = new Set(['task.enqueue', 'task.enqueue-many']);

/** Enqueues get their ids here, so that sending one again is the same task. */
function withIds({ ids }: Connection, { name }: AnyOperation, input: Input): Input {
  if (name === 'task.enqueue') return { ...input, id: input.id ?? ids.next() };
  if (name !== 'task.enqueue-many' || !Array.isArray(input.tasks)) return input;
  return { ...input, tasks: input.tasks.map((task: Input) => ({ ...task, id: task.id ?? ids.next() })) };
}

async function call(
  connection: Connection,
  operation: AnyOperation,
  input: Input,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const isRepeatable = operation.rest.method === 'GET' || enqueues.has(operation.name);
  for (let tries = 1; ; tries++) {
    try {
      return await callOnce(connection, operation, input, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const mayPass = error instanceof TaskFlowError && error.retryable && isRepeatable;
      if (!mayPass || tries >= limits.apiTriesMax) throw error;
      await sleep(connection.clock, limits.apiRetryMs * 2 ** (tries - 1) * (0.5 + connection.chance.float() / 2));
    }
  }
}

async function callOnce(
  { url, token, fetch: send }: Connection,
  operation: AnyOperation,
  input: Input,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { path, rest } = addressOf(operation, input);
  const isQuery = operation.rest.method === 'GET';
  const query = isQuery ? queryOf(rest) : '';
  const request = new Request(`${url}/api/v1${path}${query}`, {
    method: operation.rest.method,
    headers: {
      accept: 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(isQuery ? {} : { 'content-type': 'application/json' }),
    },
    ...(isQuery ? {} : { body: JSON.stringify(rest) }),
    ...(signal === undefined ? {} : { signal }),
  });
  const response = await reach(url, () => send(request));
  const text = await reach(url, () => response.text());
  const answer = parsed(text);
  if (response.ok && answer !== undefined) return answer;
  throw errorOf(url, response.status, answer);
}

/** What the path names leaves the input. */
function addressOf({ rest: { path } }: AnyOperation, input: Input): { readonly path: string; readonly rest: Input } {
  const rest: Record<string, unknown> = { ...input };
  const filled = path.replaceAll(/:(\w+)/g, (_whole, name: string) => {
    const value = rest[name];
    delete rest[name];
    // A path without it would be another address.
    if (typeof value !== 'string' || value === '') throw invalidOption(name, 'it is needed');
    return encodeURIComponent(value);
  });
  return { path: filled, rest };
}

function queryOf(fields: Input): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return query === '' ? '' : `?${query}`;
}

async function reach<Value>(url: string, go: () => Promise<Value>): Promise<Value> {
  try {
    return await go();
  } catch (cause) {
    const { host } = new URL(url);
    throw taskFlowError('SERVER_UNREACHABLE', { host, problem: reasonOf(cause) }, { cause });
  }
}

/** `fetch failed` says nothing; what caused it does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // Said with its status by the caller.
  }
}

/** The error of a problem document, as if it had been thrown here. */
function errorOf(url: string, status: number, answer: unknown): TaskFlowError {
  const { code, detail, hint, details } = (typeof answer === 'object' && answer !== null ? answer : {}) as Input;
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code) || typeof detail !== 'string')
    return taskFlowError('SERVER_ANSWER_UNKNOWN', { host: new URL(url).host, status });
  const error = taskFlowError(code as ErrorCode, {}, { details, ...(typeof hint === 'string' ? { hint } : {}) });
  error.message = detail;
  return error;
}
