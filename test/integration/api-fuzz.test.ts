/**
 * Sends every route of the API what is valid, nearly valid and hostile, made from its own schemas: never a 5xx, never a stack, never a
 * code that is not in the table. `HTTP_FUZZ_REQUESTS` says how many requests, 2,000 when it does not.
 */

import process from 'node:process';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { createApp, type FetchHandler } from '../../src/api/app.ts';
import { type Endpoint, readContract } from '../../src/api/contract.ts';
import { exampleInput } from '../../src/api/example.ts';
import { errorTable } from '../../src/core/error-table.ts';
import { createPages } from '../../src/dashboard/pages.tsx';
import { operationSamples } from '../support/operation-samples.ts';
import { createOperationWorld, type OperationWorld } from '../support/operation-world.ts';

const requestsMax = Number(process.env.HTTP_FUZZ_REQUESTS ?? 2_000);
/** After so many requests the world is a new one: what was removed is there again. */
const worldRequests = 400;

const { endpoints } = await readContract();
const words = [
  '',
  ' ',
  '\0',
  '\ud800',
  '..',
  '%',
  '%ff',
  '__proto__',
  'constructor',
  '<script>',
  '"',
  '\\',
  '😀',
  'a'.repeat(3_000),
];
const awkward: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    ...words,
    null,
    true,
    -1,
    0,
    Infinity,
    1e21,
    1.5,
    [],
    {},
    [[[[]]]],
    { __proto__: null },
    'default',
    'email.*',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
);

/** One change to a good input: nothing, a field less, a field more, a value that is another. */
const change = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ kind: 'none' } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), at: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name: fc.oneof(
        fc.constantFrom('nmae', 'id', 'name', 'limit', '__proto__', 'toString', 'wait'),
        fc.string({ maxLength: 10 }),
      ),
      value: awkward,
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('replace' as const), at: fc.nat(20), value: awkward }) },
);
type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

const call = fc.record({
  at: fc.nat(endpoints.length - 1),
  sample: fc.option(fc.nat(5)),
  change,
  method: fc.option(fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'), { freq: 10 }),
  type: fc.option(fc.constantFrom('text/plain', 'application/x-ndjson', 'application/x-www-form-urlencoded', 'x'), {
    freq: 10,
  }),
  headers: fc.dictionary(
    fc.constantFrom(
      'prefer',
      'idempotency-key',
      'x-request-id',
      'content-length',
      'accept',
      'authorization',
      'origin',
      'cookie',
    ),
    fc.constantFrom(
      'wait=1',
      'wait=99999',
      'wait=-1',
      '01K8Q2M4ZJF0C9YF4V7Z0B2HNX',
      '"',
      '',
      '-1',
      '99999999',
      'Bearer x',
      'null',
    ),
    { maxKeys: 2 },
  ),
  raw: fc.option(
    fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('{', '[]', '{"a":1e999}', '['.repeat(200))),
    { freq: 12 },
  ),
});
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never;

let world: OperationWorld | null = null;
let handler: FetchHandler;
const reported: unknown[] = [];

afterEach(async () => {
  await world?.close();
  world = null;
});

async function renew(): Promise<OperationWorld> {
  await world?.close();
  world = await createOperationWorld();
  const pages = createPages({ version: '0.0.0' });
  handler = createApp({ context: world.context, pages, report: (error) => reported.push(error) });
  return world;
}

async function inputOf(
  endpoint: Endpoint,
  sample: number | null,
  here: OperationWorld,
): Promise<Record<string, unknown>> {
  if (sample === null) return { ...exampleInput(endpoint) };
  const samples = operationSamples as unknown as Readonly<
    Record<string, (world: OperationWorld) => Promise<readonly object[]>>
  >;
  const inputs = (await samples[endpoint.operation.name]?.(here)) ?? [];
  return { ...inputs[sample % Math.max(1, inputs.length)] };
}

function changed(input: Record<string, unknown>, { ...given }: Change): Record<string, unknown> {
  const names = Object.keys(input);
  if (given.kind === 'add') return { ...input, [given.name]: given.value };
  if (given.kind === 'none' || names.length === 0) return input;
  const name = names[given.at % names.length] ?? '';
  const { [name]: _gone, ...rest } = input;
  return given.kind === 'drop' ? rest : { ...rest, [name]: given.value };
}

function textOf(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')).toWellFormed();
}

async function send(
  { at, sample, change: given, method, type, headers, raw }: Call,
  here: OperationWorld,
): Promise<Response> {
  const endpoint = endpoints[at]!;
  const { rest } = endpoint.operation;
  const input = changed(await inputOf(endpoint, sample, here), given);
  const own = method ?? rest.method;
  const fields = { ...input };
  const path = rest.path.replaceAll(/:(\w+)/g, (_whole, name: string) => {
    delete fields[name];
    return encodeURIComponent(textOf(input[name] ?? 'x'));
  });
  const isQuery = own === 'GET' || own === 'HEAD' || own === 'OPTIONS';
  const query = new URLSearchParams(
    Object.entries(fields).map(([name, value]): [string, string] => [name, textOf(value)]),
  );
  const body = raw === null ? JSON.stringify(fields) : raw;
  return handler(
    new Request(`http://127.0.0.1:8000/api/v1${path}${isQuery && query.size > 0 ? `?${query}` : ''}`, {
      method: own,
      headers: { 'content-type': type ?? 'application/json', ...headers },
      ...(isQuery ? {} : { body }),
    }),
  );
}

async function check(response: Response, isHead: boolean): Promise<void> {
  const text = await response.text();
  const told = `${response.status} ${text.slice(0, 400)}`;
  expect(response.status, told).toBeLessThan(500);
  expect(response.headers.get('x-request-id'), told).toMatch(/^[\w.:=+/@-]+$/);
  if (response.status < 400 || isHead) return;
  expect(response.headers.get('content-type'), told).toBe('application/problem+json');
  // Errors of tasks have the stacks of their handlers; what refuses a request has none.
  expect(text, told).not.toMatch(/\bat .*\.tsx?:\d+|node:internal/);
  const { code, status, detail } = JSON.parse(text) as { code: string; status: number; detail: string };
  expect([Object.hasOwn(errorTable, code), status, detail !== ''], told).toEqual([true, response.status, true]);
}

test('whatever a route is sent, it answers with a document or a problem of the table', {
  timeout: 600_000,
}, async () => {
  let here = await renew();
  let count = 0;
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(call, async (given) => {
      if (count++ % worldRequests === worldRequests - 1) here = await renew();
      const response = await send(given, here);
      if (response.status < 300) seen.add(endpoints[given.at]!.operation.name);
      await check(response, given.method === 'HEAD');
    }),
    { numRuns: requestsMax, endOnFailure: true },
  );
  expect(reported).toEqual([]);
  // Valid requests are among them: most operations were really done.
  expect(seen.size).toBeGreaterThan(endpoints.length * 0.8);
});
