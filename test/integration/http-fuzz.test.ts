/** Sends what nobody would send, and expects an answer that is never the server's fault. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base, startServer } from '../support/http.ts';

const awkward = fc.constantFrom(
  '',
  ' ',
  '\0',
  '\ud800',
  '../..',
  '%2e%2e',
  '%',
  '%ff',
  '__proto__',
  'constructor',
  'toString',
  '<script>alert(1)</script>',
  '"',
  "'",
  '\\',
  '😀',
  'a'.repeat(5_000),
  '-1',
  '1e309',
  'NaN',
  'null',
  '01M5VJ1JKVEAEA4M5KQDB7PFVC',
  'default',
  'text.stats',
  'state:',
  'input.',
  '"unclosed',
  '-',
  '*',
);
const word = fc.oneof(awkward, fc.string({ maxLength: 40 }), fc.string({ unit: 'binary', maxLength: 20 }));
const paths = fc.oneof(
  fc.constantFrom(
    '/',
    '/health',
    '/tasks',
    '/api/v1/tasks',
    '/api/v1/queues',
    '/api/v1/activity',
    '/api/v1/counts',
    '//',
    '/assets/tf.css',
  ),
  fc
    .tuple(
      fc.constantFrom('/tasks/', '/api/v1/tasks/', '/api/v1/queues/', '/queues/', '/api/', '/'),
      word,
      fc.constantFrom('', '/', '/logs', '/explain', '/cancel', '/retry', '/pause', '/resume'),
    )
    .map(([before, name, after]) => before + encodeURIComponent(name.toWellFormed()) + after),
  fc.webPath(),
);
const queries = fc.array(
  fc.tuple(fc.constantFrom('q', 'limit', 'after', 'level', 'minutes', 'live', 'x', '__proto__'), word),
  { maxLength: 4 },
);
const jsonBodies = fc.oneof(
  fc.json(),
  fc
    .dictionary(
      fc.constantFrom(
        'name',
        'input',
        'id',
        'queue',
        'priority',
        'delay',
        'at',
        'timeout',
        'retry',
        'key',
        'keyFor',
        'ifExists',
        'tags',
        'expiresIn',
        'startWithin',
        'traceparent',
        'reason',
        '__proto__',
      ),
      fc.oneof(word, fc.jsonValue()),
    )
    .map((body) => JSON.stringify(body)),
  word,
);
const requests = fc.record({
  method: fc.constantFrom(
    'GET',
    'GET',
    'POST',
    'POST',
    'POST',
    'DELETE',
    'PUT',
    'PATCH',
    'HEAD',
    'OPTIONS',
    'PROPFIND',
  ),
  path: paths,
  query: queries,
  type: fc.constantFrom(
    'application/json',
    'application/json',
    'application/json',
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/vnd.x+json',
    'nonsense;;',
    '',
  ),
  body: fc.oneof(jsonBodies, fc.uint8Array({ maxLength: 200 })),
});

/** A field given twice to the page that describes the API. */
const twice = (method: 'GET' | 'POST') => ({
  method,
  path: '/api/',
  query: ['q', 'q'].map((name): ['q', string] => [name as 'q', '']),
  type: 'application/json' as const,
  body: '',
});

test('whatever is sent, the answer is never a 5xx and never holds a stack', async () => {
  const server = await startServer();
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, path, query, type, body }) => {
      const search = new URLSearchParams(
        query.map(([name, value]): [string, string] => [name, value.toWellFormed()]),
      ).toString();
      const url = `${base}${path}${search === '' ? '' : `?${search}`}`;
      const hasBody = !['GET', 'HEAD', 'OPTIONS'].includes(method);
      const response = await server.fetch(
        new Request(url, {
          method,
          headers: type === '' ? {} : { 'content-type': type },
          ...(hasBody ? { body: body as string } : {}),
        }),
      );
      const text = await response.text();
      expect(
        { status: response.status < 500, stack: /at .*\.tsx?:\d+|node:internal/.test(text) },
        `${response.status} ${text.slice(0, 300)}`,
      ).toEqual({ status: true, stack: false });
      if (response.headers.get('content-type')?.includes('html')) expect(text).not.toContain('<script>alert');
      // Who opens the page that describes the API is told in words for people what was wrong with its address.
      const isPage = path === '/api/' && method === 'GET';
      if (path.startsWith('/api/') && !isPage && response.status >= 400 && method !== 'HEAD')
        expect(response.headers.get('content-type')).toBe('application/problem+json');
    }),
    { numRuns: 1_500, examples: [[twice('GET')], [twice('POST')]] },
  );
  expect(server.reported).toEqual([]);
});

test('any input a task was given is shown by the API as it is, and by its page without becoming markup', async () => {
  const server = await startServer();
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (input) => {
      const body = JSON.stringify({ name: 'any', input });
      const response = await server.post('/api/v1/tasks', body);
      const answer = (await response.json()) as { id: string; code?: string };
      if (response.status === 400) {
        expect(['PAYLOAD_NOT_JSON', 'PAYLOAD_TOO_DEEP']).toContain(answer.code);
        return;
      }
      const task = (await (await server.get(`/api/v1/tasks/${answer.id}`)).json()) as { input: unknown };
      expect(task.input).toEqual(JSON.parse(body).input);
      const page = await server.get(`/tasks/${answer.id}`);
      expect(page.status).toBe(200);
      await page.text();
    }),
    { numRuns: 200, examples: [[JSON.parse('{"__proto__":false}')]] },
  );
});
