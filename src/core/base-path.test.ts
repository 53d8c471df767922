/** Tests that links lead to the site wherever it is mounted. */
import { describe, expect, test } from 'vitest';
import { placeOf, readBasePath } from './base-path.ts';

/** Where a link to the list leads from a page, as a browser resolves it. */
const linkFrom = (browserPath: string, asked: string, base: string): string =>
  new URL(`${placeOf(asked, base).root}tasks`, `http://host${browserPath}`).pathname;

describe.each(['', '/x', '/admin/tasks', '/tasks'])('mounted at "%s"', (base) => {
  const pages = ['/', '/tasks', '/tasks/01K', '/schedules/a%2Fb', '/tasks/'];

  test.each(pages)('%s leads to the list when the prefix is kept', (page) => {
    expect(linkFrom(base + page, base + page, base)).toBe(`${base}/tasks`);
    expect(placeOf(base + page, base).path).toBe(page);
  });

  test.each(pages)('%s does behind a proxy that adds another prefix', (page) => {
    expect(linkFrom(`/proxy${base}${page}`, base + page, base)).toBe(`/proxy${base}/tasks`);
  });
});

test('a path without its slash at the end is the root too', () => {
  expect(placeOf('/admin/tasks', '/admin/tasks')).toEqual({ path: '/', root: './tasks/' });
  expect(linkFrom('/admin/tasks', '/admin/tasks', '/admin/tasks')).toBe('/admin/tasks/tasks');
});

test('a host that strips the prefix gets links with it', () => {
  for (const page of ['/', '/tasks', '/tasks/01K'])
    expect(linkFrom(`/admin${page}`, page, '/admin')).toBe('/admin/tasks');
});

test('no neighbour is taken for the site', () => {
  expect(placeOf('/admins/tasks', '/admin').path).toBe('/admins/tasks');
});

test('a base path is read with or without a slash at its end', () => {
  expect(['/', '', '/a/', '/a/b'].map(readBasePath)).toEqual(['', '', '/a', '/a/b']);
});

test.each(['a', '//host', '/a//b', '/a?b', '/a b', '/..', '/a/../b', '/<x>', 7, null, `/${'a'.repeat(201)}`])(
  'refuses %j as a base path',
  (value) => {
    expect(() => readBasePath(value)).toThrowError(/basePath is not valid/);
  },
);
