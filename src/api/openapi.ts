/** The description of the REST API in OpenAPI 3.1, made from the registry: nothing in it is written by hand twice. */

import { type ErrorCode, errorTable } from '../core/error-table.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Contract, type Endpoint, type Field, type JsonSchema, readContract } from './contract.ts';
import { exampleField, exampleFields, exampleOutput } from './example.ts';
import { takesIdempotencyKey, takesWait } from './preferences.ts';
import { problemOf } from './problem.ts';

export interface OpenApiOptions {
  readonly version: string;
  /** Where the server is, without a slash at its end. */
  readonly url: string;
}

/** An OpenAPI document: plain JSON. */
export type OpenApiDocument = Readonly<Record<string, unknown>>;

const apiRoot = '/api/v1';

/** What stands in front of the operations of a noun. */
const tags: Readonly<Record<string, string>> = {
  task: 'Units of work: put in, looked at, cancelled, run again.',
  flow: 'Tasks that belong together, as steps of a whole.',
  queue: 'Lines of waiting tasks: paused, limited, looked into.',
  group: 'Whose turn it is within a queue.',
  limit: 'How many tasks run at once, and how fast they start.',
  schedule: 'Tasks that run by the clock.',
  relay: 'Tasks of transactions on their way to the broker.',
  worker: 'Processes that run tasks.',
  system: 'The whole: health, counts and the last minutes.',
};

export async function describeApi({ version, url }: OpenApiOptions): Promise<OpenApiDocument> {
  const contract = await readContract();
  const nouns = [...new Set(contract.endpoints.map(nounOf))];
  return {
    openapi: '3.1.1',
    info: {
      title: 'TaskFlow',
      version,
      summary: 'Tasks that are stored, run, retried, shown and explained.',
      description: introduction,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url }],
    security: [{ bearer: [] }, { session: [] }],
    tags: nouns.map((name) => ({ name, description: tags[name] ?? `Operations on ${name}s.` })),
    paths: { ...healthPath, ...pathsOf(contract) },
    components: {
      securitySchemes,
      schemas: { ...contract.schemas, Problem: problemSchema },
      responses: problemResponses,
      parameters: headerParameters,
      headers: answerHeaders,
    },
  };
}

const introduction = `Everything TaskFlow can do, at one address each.

Errors are problem documents (RFC 9457) with a stable \`code\`. Lists are pages: \`next\` of one is \`after\` (or \`from\`) of the next, which a
\`Link\` header has in full. Unknown fields are refused with the nearest known name. Durations are written \`30s\`, \`5m\`, \`2h\`, or as
milliseconds. Every answer has an \`X-Request-Id\`, that of the request where it is well-formed.`;

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A key of a program: `Authorization: Bearer …`' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-tf',
    description:
      'Who is signed in at the dashboard; `tf-PORT` where there is no TLS. Changes are taken from its own pages alone.',
  },
};

const healthPath = {
  '/health': {
    get: {
      operationId: 'health',
      summary: 'Say whether the store answers, to anybody',
      tags: ['system'],
      security: [{}],
      responses: {
        200: {
          description: 'It does',
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: { status: { type: 'string', const: 'ok' } },
                required: ['status'],
                additionalProperties: false,
              },
              example: { status: 'ok' },
            },
          },
        },
        ...problemsOf([400, 503]),
      },
    },
  },
};

function pathsOf({ endpoints, schemas }: Contract): Readonly<Record<string, unknown>> {
  const byPath = Map.groupBy(endpoints, ({ path }) => path);
  return Object.fromEntries(
    [...byPath].map(([path, own]) => [
      apiRoot + path,
      Object.fromEntries(own.map((one) => [one.operation.rest.method.toLowerCase(), operationOf(one, schemas)])),
    ]),
  );
}

function operationOf(endpoint: Endpoint, schemas: Contract['schemas']): Readonly<Record<string, unknown>> {
  const { operation, inPath, fields } = endpoint;
  const { name, summary, role, scope, rest, audit } = operation;
  const isQuery = rest.method === 'GET';
  const names = fields.map((field) => field.name);
  const parameters = [
    ...inPath.map((field) => parameterOf(endpoint, field, 'path')),
    ...(isQuery ? fields.map((field) => parameterOf(endpoint, field, 'query')) : []),
    ...(takesWait(names) ? [{ $ref: '#/components/parameters/Prefer' }] : []),
    ...(takesIdempotencyKey(names) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ];
  const trace = audit === null ? '' : ` It is kept who asked: "${audit}".`;
  return {
    operationId: name,
    summary,
    description: `Needs the role ${role}, or a key with the scope ${scope}.${trace}`,
    tags: [nounOf(endpoint)],
    'x-taskflow-role': role,
    'x-taskflow-scope': scope,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(isQuery || fields.length === 0 ? {} : { requestBody: bodyOf(endpoint) }),
    responses: { ...answersOf(endpoint, schemas), ...problemsOf(statusesOf(endpoint)) },
  };
}

function parameterOf(endpoint: Endpoint, field: Field, place: 'path' | 'query'): Readonly<Record<string, unknown>> {
  const { description, ...schema } = field.schema;
  const isShown = place === 'path' || exampleFields(endpoint).includes(field);
  return {
    name: field.name,
    in: place,
    ...(description === undefined ? {} : { description }),
    required: field.isRequired,
    schema,
    ...(isShown ? { example: exampleField(endpoint, field) } : {}),
  };
}

function bodyOf(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const { fields } = endpoint;
  const required = fields.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  const schema: JsonSchema = {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
  const example = Object.fromEntries(
    exampleFields(endpoint).map((field) => [field.name, exampleField(endpoint, field)]),
  );
  const content = { 'application/json': { schema, example }, ...linesOf(endpoint) };
  return { required: required.length > 0, content };
}

function answersOf(endpoint: Endpoint, schemas: Contract['schemas']): Readonly<Record<string, unknown>> {
  const { operation, output, fields } = endpoint;
  const words = operation.statuses?.words ?? { 200: 'Done' };
  const isPaged = fields.some(({ name }) => name === 'after' || name === 'from') && operation.rest.method === 'GET';
  const headers = {
    'X-Request-Id': { $ref: '#/components/headers/RequestId' },
    ...(isPaged ? { Link: { $ref: '#/components/headers/Link' } } : {}),
    ...(operation.statuses?.locationOf === undefined ? {} : { Location: { $ref: '#/components/headers/Location' } }),
  };
  const content = {
    [operation.rest.eventsOf === undefined ? 'application/json' : 'text/event-stream']: {
      schema: { $ref: `#/components/schemas/${output}` },
      example: exampleOutput(endpoint, schemas),
    },
  };
  const all = { ...content, ...linesOf(endpoint) };
  return Object.fromEntries(
    Object.entries(words).map(([status, description]) => [status, { description, headers, content: all }]),
  );
}

/** A stream has no schema of its own: each of its lines is a document. */
function linesOf({ operation: { rest } }: Endpoint): Readonly<Record<string, unknown>> {
  if (rest.streamOf === undefined) return {};
  return { 'application/x-ndjson': { schema: { type: 'string', description: rest.streamOf } } };
}

/** The refusals an operation can meet, as far as its kind tells; all have one shape. */
function statusesOf({ operation: { rest, name }, inPath }: Endpoint): readonly number[] {
  const changes = rest.method !== 'GET';
  return [
    ...[400, 401, 403],
    ...(inPath.length > 0 ? [404] : []),
    ...(changes ? [409, 413, 415] : []),
    ...(name === 'relay.retry' ? [422] : []),
    ...[429, 500, 503],
  ];
}

function problemsOf(statuses: readonly number[]): Readonly<Record<string, unknown>> {
  const known = statuses.filter((status) => codesOf(status).length > 0);
  return Object.fromEntries(known.map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]));
}

function codesOf(status: number): readonly ErrorCode[] {
  return (Object.keys(errorTable) as ErrorCode[]).filter((code) => errorTable[code].status === status);
}

const problemSchema: JsonSchema = {
  type: 'object',
  description: 'What went wrong, and what to do next (RFC 9457).',
  properties: {
    type: { type: 'string', description: 'Identifies the kind of error; made from `code`.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened and why.' },
    code: { type: 'string', enum: Object.keys(errorTable), description: 'Never changes its meaning.' },
    hint: { type: 'string', description: 'The next thing to do.' },
    details: { description: 'For wrong input: `{ problems: [{ path, message }] }`.' },
    requestId: { type: 'string', description: 'Finds the request in the log of the server.' },
  },
  required: ['type', 'title', 'status', 'detail', 'code'],
};

const allStatuses = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503];

const problemResponses = Object.fromEntries(
  allStatuses.flatMap((status) => {
    const codes = codesOf(status);
    const [first] = codes;
    if (first === undefined || (status === 422 && !('RELAY_TASK_REFUSED' in errorTable))) return [];
    const example = problemOf(taskFlowError(first), '01K8Q2M4ZJF0C9YF4V7Z0B2HNX');
    const retry =
      status === 429 || status === 503 ? { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } : {};
    const response = {
      description: `Refused with one of ${codes.join(', ')}`,
      headers: { 'X-Request-Id': { $ref: '#/components/headers/RequestId' }, ...retry },
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, example } },
    };
    return [[`Problem${status}`, response]];
  }),
);

const headerParameters = {
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description: `\`wait=10\` waits so many seconds for the end of the task, at most ${limits.resultAskMs / 1_000} (RFC 7240).`,
    required: false,
    schema: { type: 'string' },
    example: 'wait=10',
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'The id of the task, or a UUIDv7: the same call again is the same task.',
    required: false,
    schema: { type: 'string' },
    example: '01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
  },
};

const answerHeaders = {
  RequestId: { description: 'The id of the request, also in the log of the server.', schema: { type: 'string' } },
  Link: { description: 'Where the next page is, while there is one (RFC 8288).', schema: { type: 'string' } },
  Location: { description: 'Where the answer is to be found again.', schema: { type: 'string' } },
  RetryAfter: { description: 'Seconds after which the same call may succeed.', schema: { type: 'string' } },
};

function nounOf({ operation }: Endpoint): string {
  return operation.name.split('.', 1)[0] ?? '';
}
