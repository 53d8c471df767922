/** The routes of the REST API: each one an operation of the registry, with where its input comes from. */

import type { HonoRequest } from 'hono';
import { taskFlowError } from '../core/errors.ts';
import { type Operation, type OperationContext, perform, type RestAddress } from '../operations/operation.ts';
import { operations } from '../operations/registry.ts';
import { systemHealth } from '../operations/system.ts';
import { taskEnqueue } from '../operations/task.ts';
import { readJsonBody, readQuery } from './body.ts';

/** One method on one path, in Hono's pattern language. */
export interface Route {
  readonly method: RestAddress['method'];
  readonly path: string;
  /** The name of the operation it asks for; `null` for pages, which may ask for several. */
  readonly operation: string | null;
  answer(request: HonoRequest, context: OperationContext): Promise<Response>;
}

/** Where the operations are. */
export const apiRoot = '/api/v1';

/** Every route of the API. `/health` tells anybody that it answers, and nothing more. */
export const apiRoutes: readonly Route[] = [
  { method: 'GET', path: '/health', operation: systemHealth.name, answer: answerHealth },
  ...Object.values(operations as Readonly<Record<string, Operation<unknown, unknown>>>).map(routeOf),
];

async function answerHealth(_request: HonoRequest, context: OperationContext): Promise<Response> {
  const { status } = await perform(systemHealth, context, {});
  return Response.json({ status });
}

function routeOf(operation: Operation<unknown, unknown>): Route {
  const { name, rest } = operation;
  return {
    method: rest.method,
    path: `${apiRoot}${rest.path}`,
    operation: name,
    answer: name === taskEnqueue.name ? answerEnqueue : answerWith(operation),
  };
}

async function answerEnqueue(request: HonoRequest, context: OperationContext): Promise<Response> {
  const document = await perform(taskEnqueue, context, await readJsonBody(request.raw));
  const location = `${apiRoot}/tasks/${document.id}`;
  return Response.json(document, { status: document.created ? 201 : 200, headers: { location } });
}

/** The input of a GET is the query, that of a change the body, which may be left out; to both comes what the path names. */
function answerWith(operation: Operation<unknown, unknown>): Route['answer'] {
  return async (request, context) => {
    const given = operation.rest.method === 'GET' ? readQuery(request.url) : await readJsonBody(request.raw);
    return Response.json(await perform(operation, context, withPath(request, given)));
  };
}

function withPath(request: HonoRequest, given: unknown): unknown {
  const named = request.param();
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const twice = Object.keys(named).find((name) => Object.hasOwn(given, name));
  if (twice !== undefined)
    throw taskFlowError('INVALID_OPTION', { what: twice, problem: 'the address names it already' });
  return { ...given, ...named };
}
