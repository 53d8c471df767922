/** The routes of the REST API: each one an operation of the registry, with where its input comes from. */

import type { HonoRequest } from 'hono';
import type { ZodType } from 'zod';
import { taskFlowError } from '../core/errors.ts';
import { taskEnqueueMany } from '../operations/enqueue-many.ts';
import {
  type Operation,
  type OperationContext,
  perform,
  type RestAddress,
  type Role,
  schemaOf,
} from '../operations/operation.ts';
import { operations } from '../operations/registry.ts';
import { readJsonBody, readQuery, type Turn } from './body.ts';
import type { StreamOptions } from './enqueue-stream.ts';
import { isLines } from './lines.ts';
import { probeRoutes } from './machine.ts';
import { idempotencyId, preferredWait, takesIdempotencyKey, takesWait, withId } from './preferences.ts';
import type { Reply } from './reply.ts';

/** One method on one path, in Hono's pattern language. */
export interface Route {
  readonly method: RestAddress['method'];
  readonly path: string;
  /** The name of the operation it asks for; `null` for pages, which may ask for several. */
  readonly operation: string | null;
  /** The least role that may ask. A route without one that is not open is refused when the server is put together. */
  readonly role?: Role;
  /** Answers whoever asks, as the server itself: it says whether all is well, signs in, or is a file without a secret. */
  readonly isOpen?: boolean;
  /** `bodyTurn` is the caller's turn for a large body; without it there are no turns. */
  answer(request: HonoRequest, context: OperationContext, bodyTurn?: Turn): Promise<Response | Reply>;
}

/** Where the operations are. */
export const apiRoot = '/api/v1';

/** Every route of the API. */
export const apiRoutes: readonly Route[] = [
  ...probeRoutes,
  ...Object.values(operations as Readonly<Record<string, Operation<unknown, unknown>>>).map(routeOf),
];

function routeOf(operation: Operation<unknown, unknown>): Route {
  const { name, rest } = operation;
  return {
    method: rest.method,
    path: `${apiRoot}${rest.path}`,
    operation: name,
    role: operation.role,
    answer:
      name === taskEnqueueMany.name
        ? (request, context, bodyTurn) => answerMany(request, context, { bodyTurn })
        : answerWith(operation),
  };
}

const decoded = { isDecoded: true } as const;

/** The input of a GET is the query, that of a change the body, which may be left out; to both comes what the path names. */
function answerWith(operation: Operation<unknown, unknown>): Route['answer'] {
  const { rest, statuses } = operation;
  return async (request, context, bodyTurn) => {
    const given =
      rest.method === 'GET' ? readQuery(request.url) : await readJsonBody(request.raw, rest.bodyBytesMax, bodyTurn);
    const fields = fieldsOf(await schemaOf(operation));
    const { input, headers } = withHeaders(request.raw.headers, withPath(request, given), fields);
    const asked = { ...context, ...(rest.method === 'GET' ? {} : decoded), gone: () => request.raw.signal };
    const output = await perform(operation, asked, input);
    if (rest.method === 'GET') addNextLink(headers, request.url, fields, output);
    const location = statuses?.locationOf?.(output);
    if (location !== undefined) headers.location = apiRoot + location;
    return { status: statuses?.statusOf(output) ?? 200, body: JSON.stringify(output), headers };
  };
}

/** One body is a batch; a stream of lines is answered by one. `?answers=problems` leaves out the answers to what is well. */
export async function answerMany(
  request: HonoRequest,
  context: OperationContext,
  { bodyTurn, ...stream }: Pick<StreamOptions, 'streamMs' | 'turns'> & { readonly bodyTurn?: Turn | undefined } = {},
): Promise<Response | Reply> {
  if (!isLines(request.raw.headers.get('content-type'))) return answerBatch(request, context, bodyTurn);
  const { answerStream } = await import('./enqueue-stream.ts');
  const { answers = 'all', ...others } = readQuery(request.url);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw taskFlowError('INVALID_OPTION', { what: unknown.slice(0, 60), problem: 'unknown field. There is answers.' });
  if (answers !== 'all' && answers !== 'problems')
    throw taskFlowError('INVALID_OPTION', { what: 'answers', problem: 'it is all or problems' });
  return answerStream(request.raw, context, { quiet: answers === 'problems', ...stream });
}

const answerBatch = answerWith(taskEnqueueMany as unknown as Operation<unknown, unknown>);

/** What headers say goes into the fields that say the same; what was done of it goes into the answer. */
function withHeaders(
  headers: Headers,
  input: unknown,
  fields: readonly string[],
): { readonly input: unknown; readonly headers: Record<string, string> } {
  if (!isObject(input)) return { input, headers: {} };
  const id = takesIdempotencyKey(fields) ? idempotencyId(headers) : undefined;
  const identified = id === undefined ? input : withId(input, id);
  const wait = takesWait(fields) && input.wait === undefined ? preferredWait(headers) : null;
  if (wait === null) return { input: identified, headers: {} };
  return { input: { ...identified, wait: `${wait}s` }, headers: { 'preference-applied': `wait=${wait}` } };
}

/** A page that is not the last one says where the next one is (RFC 8288), so that nobody needs to put addresses together. */
function addNextLink(headers: Record<string, string>, url: string, fields: readonly string[], output: unknown): void {
  const cursor = ['after', 'from'].find((name) => fields.includes(name));
  if (cursor === undefined || !isObject(output) || typeof output.next !== 'string') return;
  const { pathname, searchParams } = new URL(url);
  searchParams.set(cursor, output.next);
  headers.link = `<${pathname}?${searchParams}>; rel="next"`;
}

function fieldsOf(schema: ZodType): readonly string[] {
  return 'shape' in schema && isObject(schema.shape) ? Object.keys(schema.shape) : [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withPath(request: HonoRequest, given: unknown): unknown {
  const named = request.param();
  const names = Object.keys(named);
  // Most paths name nothing, and a copy of what has many fields costs twice as much as reading it.
  if (!isObject(given) || names.length === 0) return given;
  const twice = names.find((name) => Object.hasOwn(given, name));
  if (twice !== undefined)
    throw taskFlowError('INVALID_OPTION', { what: twice, problem: 'the address names it already' });
  return { ...given, ...named };
}
