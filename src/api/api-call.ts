/** One call of an operation over HTTP: where it goes, how long it may take, when it is made again, and its refusals as the errors they are. */

import type { Chance } from '../core/chance.ts';
import { type Duration, durationText, parseDuration } from '../core/duration.ts';
import { type ErrorCode, errorTable } from '../core/error-table.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { Ids } from '../core/ids.ts';
import { limits } from '../core/limits.ts';
import { invalidOption } from '../core/option-names.ts';
import { type Clock, sleep } from '../core/time.ts';
import type { Operation } from '../operations/operation.ts';

/** A server, and how it is reached. */
export interface Connection {
  readonly url: string;
  readonly token: string | null;
  readonly fetch: (request: Request) => Promise<Response>;
  readonly clock: Clock;
  readonly chance: Chance;
  /** How the text of an answer is read; `JSON.parse` when not given. */
  readonly read?: (text: string) => unknown;
}

export interface CallBounds {
  readonly signal?: AbortSignal | undefined;
  /** How long one try may take. */
  readonly timeoutMs: number;
}

/** What is asked for: of an operation only its name and its address count. */
export type Asked = Pick<Operation<unknown, unknown>, 'name' | 'rest'>;
type Input = Readonly<Record<string, unknown>>;

const enqueues: ReadonlySet<string> = new Set(['task.enqueue', 'task.enqueue-many']);

/** The input of an enqueue with ids where it has none, so that sending it again is the same task; that of anything else as it is. */
export function withIds(ids: Ids, { name }: Pick<Asked, 'name'>, input: Input): Input {
  if (!enqueues.has(name)) return input;
  if (name === 'task.enqueue') return { ...input, id: input.id ?? ids.next() };
  if (!Array.isArray(input.tasks)) return input;
  return { ...input, tasks: input.tasks.map((task: Input) => ({ ...task, id: task.id ?? ids.next() })) };
}

/** How long the server itself is asked to wait. What is no duration is for the server to refuse. */
export function waitOf({ wait, waitMs }: Input): number {
  if (typeof waitMs === 'number' && waitMs > 0) return waitMs;
  if (typeof wait !== 'string' && typeof wait !== 'number') return 0;
  try {
    return parseDuration(wait as Duration, 'wait');
  } catch {
    return 0;
  }
}

/**
 * Makes the call, and again where that does no harm (what only reads, and an enqueue with its id) and may help: up to
 * `limits.apiTriesMax` times, with growing pauses, or as long as the server asks for (`Retry-After`), unless that is longer than
 * `limits.apiRetryAfterMaxMs`. Rejects with the error that the server tells, or the signal's reason.
 */
export async function callOperation(
  connection: Connection,
  asked: Asked,
  input: Input,
  bounds: CallBounds,
): Promise<unknown> {
  const isRepeatable = asked.rest.method === 'GET' || enqueues.has(asked.name);
  for (let tries = 1; ; tries++) {
    const answer = await callOnce(connection, asked, input, bounds);
    if (!('error' in answer)) return answer.value;
    const { error, mayPass, afterMs } = answer;
    if (!mayPass || !isRepeatable || tries >= limits.apiTriesMax || afterMs > limits.apiRetryAfterMaxMs) throw error;
    const pauseMs = limits.apiRetryMs * 2 ** (tries - 1) * (0.5 + connection.chance.float() / 2);
    await sleep(connection.clock, Math.max(afterMs, pauseMs), bounds.signal);
  }
}

/** An answer, or why there is none: whether a later try may bring one, and how long the server asks to wait before it. */
type Answer =
  | { readonly value: unknown }
  | { readonly error: TaskFlowError; readonly mayPass: boolean; readonly afterMs: number };

async function callOnce(connection: Connection, asked: Asked, input: Input, bounds: CallBounds): Promise<Answer> {
  const { url, fetch: send } = connection;
  const target = addressOf(asked.rest.path, input);
  const late = new AbortController();
  const cancel = connection.clock.schedule(bounds.timeoutMs, () =>
    late.abort(new Error(`no answer within ${durationText(bounds.timeoutMs)}`)),
  );
  const signal = bounds.signal === undefined ? late.signal : AbortSignal.any([bounds.signal, late.signal]);
  const request = requestOf(connection, asked, target, signal);
  try {
    const response = await send(request);
    const answer = parsed(await response.text(), connection.read);
    // Every operation answers an object.
    if (response.ok && typeof answer === 'object' && answer !== null && !Array.isArray(answer))
      return { value: answer };
    const error = errorOf(url, asked, response, answer);
    // What a proxy answers for a server that is away is none of ours.
    const mayPass = error.retryable || (error.code === 'SERVER_ANSWER_UNKNOWN' && response.status >= 502);
    return { error, mayPass, afterMs: retryAfterMs(response, connection.clock) };
  } catch (thrown) {
    bounds.signal?.throwIfAborted();
    const cause = late.signal.aborted ? late.signal.reason : thrown;
    const error = taskFlowError('SERVER_UNREACHABLE', { host: new URL(url).host, problem: reasonOf(cause) }, { cause });
    return { error, mayPass: true, afterMs: 0 };
  } finally {
    cancel();
  }
}

function requestOf(
  { url, token }: Connection,
  { rest }: Asked,
  { path, fields }: ReturnType<typeof addressOf>,
  signal: AbortSignal,
): Request {
  const isQuery = rest.method === 'GET';
  return new Request(`${url}/api/v1${path}${isQuery ? queryOf(fields) : ''}`, {
    method: rest.method,
    headers: {
      accept: 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(isQuery ? {} : { 'content-type': 'application/json' }),
    },
    ...(isQuery ? {} : { body: JSON.stringify(fields) }),
    // A key goes to the server it is for, and a POST that is redirected would come as another request.
    redirect: 'manual',
    signal,
  });
}

/** Seconds, or a date. 0 where it is neither. */
function retryAfterMs(response: Response, clock: Clock): number {
  const text = response.headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const at = text === '' ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - clock.now());
}

/** What the path names leaves the input. */
function addressOf(path: string, input: Input): { readonly path: string; readonly fields: Input } {
  const fields: Record<string, unknown> = { ...input };
  const filled = path.replaceAll(/:(\w+)/g, (_whole, name: string) => {
    const value = fields[name];
    delete fields[name];
    // A path without it would be another address.
    if (typeof value !== 'string' || value === '') throw invalidOption(name, 'it is needed');
    return encodeURIComponent(value);
  });
  return { path: filled, fields };
}

function queryOf(fields: Input): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  // A duration as a number is milliseconds, which a text says with its unit.
  const textOf = (name: string, value: unknown): string =>
    name === 'wait' && typeof value === 'number' ? `${value}ms` : String(value);
  const query = new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, textOf(name, value)]),
  ).toString();
  return query === '' ? '' : `?${query}`;
}

/** `fetch failed` says nothing; what caused it does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

function parsed(text: string, read: (text: string) => unknown = JSON.parse): unknown {
  try {
    return read(text);
  } catch {
    return undefined; // Said with its status by the caller.
  }
}

/** The error of a problem document, as if it had been thrown here. */
function errorOf(url: string, { name }: Asked, { status, headers }: Response, answer: unknown): TaskFlowError {
  const { code, detail, hint, details } = (typeof answer === 'object' && answer !== null ? answer : {}) as Input;
  const { host } = new URL(url);
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code) || typeof detail !== 'string') {
    const target = headers.get('location');
    const elsewhere = target === null ? {} : { hint: `It sends whoever asks to ${target.slice(0, 200)}` };
    return taskFlowError('SERVER_ANSWER_UNKNOWN', { host, status }, elsewhere);
  }
  // Of an address it does not have; what an operation cannot find has a code of its own.
  if (code === 'NOT_FOUND' || code === 'METHOD_NOT_ALLOWED') return taskFlowError('OPERATION_UNKNOWN', { host, name });
  const error = taskFlowError(code as ErrorCode, {}, { details, ...(typeof hint === 'string' ? { hint } : {}) });
  error.message = detail;
  return error;
}
