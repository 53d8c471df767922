/** A client for programs that talk HTTP with a server: every operation of the registry as a typed method, made from the registry. */

import { type Chance, systemChance } from '../core/chance.ts';
import { type Duration, parseDuration } from '../core/duration.ts';
import { createIds } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Operation } from '../operations/operation.ts';
import type { InputOf, OperationName, OutputOf } from '../operations/registry.ts';
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
};

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
  return byName((noun) =>
    byName((verb) => async (input: Input = {}, { signal, timeout }: ApiCallOptions = {}) => {
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
