/** Weighs what a browser loads, and tests that the files of the pages are a fixed list under names that change with their content. */
import { gzipSync } from 'node:zlib';
import { beforeEach, expect, test } from 'vitest';
import { base, startServer, type TestServer } from '../support/http.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});

const zipped = (text: string): number => gzipSync(text, { level: 6 }).length;

async function weightOf(paths: readonly string[]): Promise<number> {
  const texts = await Promise.all(paths.map(async (path) => (await server.get(path)).text()));
  return texts.reduce((sum, text) => sum + zipped(text), 0);
}

/** What a page names, as paths of the site. */
function linked(html: string, from: string, pattern: RegExp): readonly string[] {
  return [...new Set([...html.matchAll(pattern)].map((match) => new URL(match[1] ?? '', base + from).pathname))];
}

async function fill(): Promise<void> {
  for (let index = 0; index < 60; index++)
    await server.post('/api/v1/tasks', {
      name: `task.${index % 7}`,
      input: { userId: `u_${(index * 7919) % 1_000}`, locale: 'de', plan: 'pro', path: `s3://raw/${index}.jpg` },
    });
}

const asset = /(?:href|src)="([^"]*assets[^"]+)"/g;

test('the first page with everything it loads is at most 45 KB on the wire, and nothing is from elsewhere', async () => {
  await fill();
  const html = await (await server.get('/')).text();
  const paths = linked(html, '/', asset);
  expect(paths).toHaveLength(7);
  expect(zipped(html) + (await weightOf(paths))).toBeLessThanOrEqual(45 * 1024);
  expect(html).not.toMatch(/(?:href|src)="(?:https?:)?\/\//);
});

test('a list of 50 rows, the style sheet and the scripts keep within their budgets', async () => {
  await fill();
  const html = await (await server.get('/tasks')).text();
  expect(zipped(html)).toBeLessThanOrEqual(12 * 1024);
  expect(await weightOf(linked(html, '/tasks', /href="([^"]*assets[^"]+\.css)"/g))).toBeLessThanOrEqual(10 * 1024);
  expect(await weightOf(linked(html, '/tasks', /(?:href|src)="([^"]*assets[^"]+\.js)"/g))).toBeLessThanOrEqual(
    12 * 1024,
  );
  expect(html).not.toContain('uplot');
});

test('files are kept for ever under their names, imports name the same files, and no other path is a file', async () => {
  await fill();
  const paths = linked(await (await server.get('/')).text(), '/', asset);
  for (const path of paths) {
    const response = await server.get(path);
    expect([path, response.status]).toEqual([path, 200]);
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    for (const [, imported] of (await response.text()).matchAll(/(?:from|import) '\.\/([^']+)'/g))
      expect(paths).toContain(`/assets/${imported}`);
  }
  for (const path of [
    '/assets/',
    '/assets/main.js',
    '/assets/../package.json',
    '/assets/%2e%2e%2fpackage.json',
    '/assets/..%5cpages.tsx',
  ])
    expect([path, (await server.get(path)).status]).toEqual([path, 404]);
});

test('every answer forbids what is inline and what is from elsewhere', async () => {
  for (const path of ['/', '/tasks', '/nothing', '/api/v1/counts']) {
    const policy = (await server.get(path)).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
  }
});
