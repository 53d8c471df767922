/** Holds the headers that keep a browser to itself on every answer. */

import { beforeEach, expect, test } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { base, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

test.each([
  '/',
  '/tasks',
  '/api/v1/queues',
  '/api/v1/tasks/x',
  '/nonsense',
  '/api/v1/nonsense',
  '/healthz',
  '/openapi.json',
])('an answer of %s has them all', async (path) => {
  const { headers } = await server.get(path);
  const policy = Object.fromEntries(
    (headers.get('content-security-policy') ?? '').split('; ').map((part) => part.split(/ (.*)/, 2)),
  );
  expect(policy).toMatchObject({ 'default-src': "'none'", 'script-src': "'self'", 'style-src': "'self'" });
  expect(policy).toMatchObject({ 'base-uri': "'none'", 'form-action': "'self'", 'frame-ancestors': "'none'" });
  expect(policy).toMatchObject({ 'require-trusted-types-for': "'script'", 'trusted-types': 'taskflow' });
  expect(Object.fromEntries(headers)).toMatchObject({
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': expect.stringContaining('camera=()'),
  });
  for (const name of headers.keys()) expect(name).not.toMatch(/^access-control-/);
  expect(headers.get('strict-transport-security')).toBeNull();
});

test('whoever came over TLS is told to stay there, and nobody else', async () => {
  const fetch = createApp({ context: server.context, report: () => undefined });
  const answers = [{ isHttps: true }, { isHttps: false }, {}].map((peer) =>
    fetch(new Request(`${base}/healthz`), { address: '192.0.2.1', ...peer }),
  );
  const told = (await Promise.all(answers)).map(({ headers }) => headers.get('strict-transport-security'));
  expect(told).toEqual(['max-age=31536000', null, null]);
});

test('the description of the API names the address as the browser has it', async () => {
  const fetch = createApp({ context: server.context, report: () => undefined });
  const urls = [{ isHttps: true }, {}].map(async (peer) => {
    const answer = await fetch(new Request(`${base}/openapi.json`), { address: '192.0.2.1', ...peer });
    return ((await answer.json()) as { servers: { url: string }[] }).servers[0]?.url;
  });
  expect(await Promise.all(urls)).toEqual([base.replace('http', 'https'), base]);
});
