/** URLs of stores: what is opened, what is refused, and what was probably meant. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connect } from './connect.ts';

test.each(['sqlite::memory:', 'memory:'])('%s is a private store in memory', async (url) => {
  const store = connect(url);
  await store.broker.open();
  expect(await store.broker.info()).toMatchObject({ kind: 'sqlite', durability: 'volatile' });
  expect(await store.history.facets()).toEqual({ views: {}, queues: {}, names: {} });
  await store.close();
});

test('a path is relative to the folder, whose missing parts are made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-connect-'));
  const store = connect('sqlite:./deep/er/store.db', { folder });
  await store.broker.open();
  expect(await store.broker.info()).toMatchObject({ detail: expect.stringContaining('WAL, synchronous=FULL') });
  await store.close();
  await store.close();
  await expect(store.broker.info()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  await expect(store.history.facets()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  rmSync(folder, { recursive: true });
});

test.each([
  ['./taskflow.db', 'Did you mean sqlite:./taskflow.db?'],
  ['sqlite:', 'Did you mean sqlite:./.taskflow/taskflow.db?'],
  ['file:./taskflow.db', 'Did you mean sqlite:./taskflow.db?'],
  ['file:///var/taskflow.db', 'Did you mean sqlite:/var/taskflow.db?'],
  ['sqlite://taskflow.db', 'Did you mean sqlite:./taskflow.db?'],
  ['sqlite:./taskflow.db?mode=ro', 'Did you mean sqlite:./taskflow.db?'],
  ['mysql://localhost', 'Examples: sqlite:./.taskflow/taskflow.db, sqlite::memory:'],
  ['', 'Examples: sqlite:./.taskflow/taskflow.db, sqlite::memory:'],
])('%s is refused with the nearest form', (url, hint) => {
  expect(() => connect(url)).toThrow(expect.objectContaining({ code: 'STORE_URL_INVALID', hint }));
});

test.each(['postgres://localhost/x', 'postgresql://localhost/x', 'redis://localhost', 'rediss://localhost'])(
  '%s is not supported yet',
  (url) => {
    expect(() => connect(url)).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED' }));
  },
);
