/** Calls of a server over HTTP: JSON there and back, with a deadline, and its refusals as the errors they are. */

import { readFileSync } from 'node:fs';
import process from 'node:process';
import { type ErrorCode, errorTable } from '../../core/error-table.ts';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { readStoredJson } from '../../core/stored-json.ts';
import type { Clock } from '../../core/time.ts';

export interface Calls {
  /** `path` is below `/api/v1/`. Throws STORE_UNREACHABLE while the server does not answer, or may answer later; what it refuses under its code. */
  post<Answer>(path: string, message: object, options?: CallOptions): Promise<Answer>;
  /** The same for what only reads. */
  get<Answer>(path: string, query: Readonly<Record<string, string>>, options?: CallOptions): Promise<Answer>;
  /** Ends the calls under way, and refuses those that come. */
  close(): void;
}

export interface CallOptions {
  /** How long the server itself may take. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  /** What the key is not for is refused to a handler; the worker itself waits for another key. */
  readonly refusesForbidden?: boolean;
}

/** What the key may not do is told to the handler. */
export const forbidden: CallOptions = { refusesForbidden: true };

/** Throws STORE_URL_INVALID. */
export function readServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    throw taskFlowError(
      'STORE_URL_INVALID',
      { url: text.slice(0, 200), problem: 'it is not the address of a server' },
      { hint: 'Write it as http://127.0.0.1:8000 or https://tasks.example.com' },
    );
  if (url.username !== '' || url.password !== '')
    throw taskFlowError(
      'STORE_URL_INVALID',
      { url: `${url.protocol}//…@${url.host}`, problem: 'a key does not belong into an address' },
      { hint: 'Put it into TASKFLOW_TOKEN, or into a file that TASKFLOW_TOKEN_FILE names.' },
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** The key, by the environment or by a file it names: both are read again each time, so that a key can be replaced. `null` without one. */
export function readServerToken(env: Readonly<Record<string, string | undefined>> = process.env): string | null {
  const file = env.TASKFLOW_TOKEN_FILE;
  if (file === undefined || file === '') return env.TASKFLOW_TOKEN?.trim() || null;
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch (cause) {
    const problem = `the file ${file} with the key of the server cannot be read`;
    throw taskFlowError('INVALID_OPTION', { what: 'TASKFLOW_TOKEN_FILE', problem }, { cause });
  }
}

export function createCalls(server: string, clock: Clock): Calls {
  const closing = new AbortController();

  async function call<Answer>(
    path: string,
    asked: Pick<RequestInit, 'method' | 'body'>,
    { waitMs = 0, signal, refusesForbidden = false }: CallOptions = {},
  ): Promise<Answer> {
    if (closing.signal.aborted) throw taskFlowError('STORE_CLOSED');
    const token = readServerToken();
    const late = new AbortController();
    const cancel = clock.schedule(waitMs + limits.serverCallMs, () => late.abort());
    const signals = [closing.signal, late.signal, ...(signal === undefined ? [] : [signal])];
    try {
      const response = await fetch(`${server}/api/v1/${path}`, {
        ...asked,
        headers: {
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        // A key goes to the server it is for, and nowhere else.
        redirect: 'error',
        signal: AbortSignal.any(signals),
      });
      const text = await response.text();
      if (!response.ok) throw refusal(server, response.status, text, refusesForbidden ? withForbidden : refusals);
      return readAnswer(path, text) as Answer;
    } catch (error) {
      if (error instanceof TaskFlowError) throw error;
      if (closing.signal.aborted) throw taskFlowError('STORE_CLOSED');
      const problem = late.signal.aborted ? 'it does not answer in time' : wordsOf(error);
      throw taskFlowError('STORE_UNREACHABLE', { problem: `${server}: ${problem}` }, { cause: error });
    } finally {
      cancel();
    }
  }

  return {
    post: (path, message, options) => call(path, { method: 'POST', body: JSON.stringify(message) }, options),
    get: (path, query, options) => call(`${path}?${new URLSearchParams(query)}`, { method: 'GET' }, options),
    close: () => closing.abort(),
  };
}

/** Of each answer the list that it has; what says nothing that anybody waits for has none. */
const lists: Readonly<Record<string, string>> = {
  'worker/claim': 'tasks',
  'worker/outcome': 'results',
  'worker/heartbeat': 'answers',
  'worker/listen': 'cancel',
  'worker/enqueue': 'results',
  'worker/parents': 'parents',
  'tasks/results': 'results',
};

/** Throws for what is no answer of a server: a proxy says that all is well while the server behind it is away. */
function readAnswer(path: string, text: string): unknown {
  let answer: unknown;
  try {
    answer = readStoredJson(text);
  } catch (cause) {
    throw new Error(foreign, { cause });
  }
  const list = lists[path];
  const isOurs = typeof answer === 'object' && answer !== null && !Array.isArray(answer);
  if (!isOurs || (list !== undefined && !Array.isArray((answer as Readonly<Record<string, unknown>>)[list])))
    throw new Error(foreign);
  return answer;
}

const foreign = 'what answers there is no TaskFlow';

/** A program does not send headers by hand. */
const keyHint =
  'Its key is that of TASKFLOW_TOKEN, or in the file that TASKFLOW_TOKEN_FILE (--token-file) names; taskflow token create makes one.';

/** Statuses that say that the message was wrong: the same one again would be refused again. */
const refusals: ReadonlySet<number> = new Set([400, 409, 413, 422]);
const withForbidden: ReadonlySet<number> = new Set([...refusals, 403]);

/** Whatever else a server answers may be different later: a key that is renewed, a proxy before a server that starts. */
function refusal(server: string, status: number, text: string, final: ReadonlySet<number>): TaskFlowError {
  const { code, detail, hint: said } = readProblem(text);
  const hint = code === 'UNAUTHENTICATED' ? keyHint : said;
  const told = hint === undefined ? {} : { hint };
  if (code !== null && (final.has(status) || code.startsWith('STORE_'))) {
    const error = taskFlowError(code, {}, told);
    if (detail !== undefined) error.message = detail;
    return error;
  }
  const problem = `${server} answers ${status}${detail === undefined ? '' : `: ${detail}`}`;
  return taskFlowError('STORE_UNREACHABLE', { problem }, told);
}

function readProblem(text: string): {
  readonly code: ErrorCode | null;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
} {
  let read: unknown = null;
  try {
    read = JSON.parse(text);
  } catch {
    // A proxy speaks HTML.
  }
  const problem = typeof read === 'object' && read !== null ? (read as Readonly<Record<string, unknown>>) : {};
  const words = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 1_000) : undefined);
  const code = typeof problem.code === 'string' && Object.hasOwn(errorTable, problem.code) ? problem.code : null;
  return { code: code as ErrorCode | null, detail: words(problem.detail), hint: words(problem.hint) };
}

/** The cause says what happened on the network; the error itself only that something did. */
function wordsOf(error: unknown): string {
  if (error instanceof Error && error.message === foreign) return foreign;
  const cause = error instanceof Error ? error.cause : undefined;
  const { code, message } = (cause ?? error) as { readonly code?: unknown; readonly message?: unknown };
  return String(message || code || 'no answer').slice(0, 300);
}
