// From a URL to a store: what is opened, what is refused, and what is suggested instead.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { newTask, sampleId } from '../../test/conformance/samples.ts';
import { systemChance } from '../core/chance.ts';
import { createSqlRecording } from '../history/recording/sql-recording.ts';
import { connect, connectDriver } from './connect.ts';
import { migrate } from './sql/migrate.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskflow-connect-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['a path of the folder', 'sqlite:./deep/tasks.db', 'deep/tasks.db'],
  ['a bare path', 'sqlite:tasks.db', 'tasks.db'],
  ['an absolute path', `sqlite:${folder}/absolute.db`, 'absolute.db'],
  ['three slashes', `sqlite://${folder}/slashes.db`, 'slashes.db'],
])('opens %s, with its folder', async (_what, url, file) => {
  const store = connect(url, { folder });
  await store.broker.open();
  await store.broker.enqueue([newTask(sampleId(1))]);
  expect((await store.history.task(sampleId(1)))?.task.name).toBe('mail.send');
  expect(existsSync(join(folder, file))).toBe(true);
  await store.close();
  await expect(store.broker.info()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
});

test.each([
  ['a record of its own', { store: 'sqlite:./record.db' }],
  ['another namespace', { namespace: 'billing' }],
])('refuses %s until it can be kept apart', (_what, options) => {
  expect(() => connect('sqlite::memory:', options)).toThrow(expect.objectContaining({ code: 'NOT_SUPPORTED' }));
});

test('refuses the record of another live store as a store', async () => {
  const driver = connectDriver('sqlite:record.db', { folder });
  await driver.open();
  await migrate(driver, systemChance);
  await createSqlRecording(driver).follow({ incarnation: null, seq: 0 }, { incarnation: 'other', seq: 0 }, null);
  await driver.close();

  const store = connect('sqlite:record.db', { folder });
  await expect(store.broker.open()).rejects.toMatchObject({ code: 'RECORD_ELSEWHERE' });
  await store.close();
});

test('opens private memory', async () => {
  const [one, other] = [connect('sqlite::memory:'), connect('sqlite::memory:')];
  await Promise.all([one.broker.open(), other.broker.open()]);
  await one.broker.enqueue([newTask(sampleId(1))]);
  expect(
    [await one.history.task(sampleId(1)), await other.history.task(sampleId(1))].map((found) => found === null),
  ).toEqual([false, true]);
  await Promise.all([one.close(), other.close()]);
});

test.each([
  ['memory:', 'STORE_URL_INVALID', 'sqlite::memory:'],
  ['', 'STORE_URL_INVALID', 'sqlite:'],
  ['./tasks.db', 'STORE_URL_INVALID', 'sqlite:./tasks.db'],
  ['sqlit:./tasks.db', 'STORE_URL_INVALID', 'sqlite:./tasks.db'],
  ['sqlite:', 'STORE_URL_INVALID', 'sqlite:./.taskflow/taskflow.db'],
  ['sqlite://tasks.db', 'STORE_URL_INVALID', 'sqlite:./tasks.db'],
  ['sqlite:./tasks.db?mode=ro', 'STORE_URL_INVALID', 'sqlite:./tasks.db'],
  ['file:///var/tasks.db', 'STORE_URL_INVALID', 'sqlite:/var/tasks.db'],
  ['sqlite:a\0b', 'STORE_URL_INVALID', 'sqlite:'],
  ['mysql://ada:secret@host/tasks', 'STORE_URL_INVALID', 'sqlite:'],
  ['postgres://ada:secret@host', 'STORE_URL_INVALID', 'postgres://user'],
  ['postgres:///tasks', 'STORE_URL_INVALID', 'postgres://user'],
  ['postgres://ada:secret@host/tasks?pool=0', 'STORE_URL_INVALID', 'postgres://user'],
  ['postgres://ada:secret@host/tasks?prepare=no', 'STORE_URL_INVALID', 'postgres://user'],
  ['postgres://ada:secret@host/tasks?durability=some', 'STORE_URL_INVALID', 'postgres://user'],
  ['redis://:secret@host:port', 'STORE_URL_INVALID', 'redis://localhost'],
  ['redis://', 'STORE_URL_INVALID', 'redis://localhost'],
  ['redis+tls://host', 'STORE_URL_INVALID', 'redis://localhost'],
  ['redsi://host', 'STORE_URL_INVALID', 'redis://host'],
])('refuses %j with %s', (url, code, hint) => {
  let error: { readonly code?: string; readonly hint?: string; readonly message?: string } = {};
  try {
    connect(url);
  } catch (thrown) {
    error = thrown as typeof error;
  }
  expect(error.code).toBe(code);
  if (hint !== undefined) expect(error.hint).toContain(hint);
  expect(JSON.stringify([error.message, error.hint])).not.toContain('secret');
});

test('a record that only this process would see is refused', () => {
  expect(() => connect('redis://localhost', { store: 'sqlite::memory:' })).toThrow(
    expect.objectContaining({ code: 'NOT_SUPPORTED' }),
  );
});

test('Redis in the place of a database is told so', () => {
  const expected = expect.objectContaining({ code: 'NOT_SUPPORTED', hint: expect.stringContaining('postgres://') });
  expect(() => connect('redis://localhost', { store: 'redis://localhost/1' })).toThrow(expected);
  expect(() => connectDriver('redis://localhost', {})).toThrow(expected);
});

test('a live store alone says that its record is missing to whoever asks for it', async () => {
  const store = connect('redis://localhost');
  await expect(store.history.facets()).rejects.toMatchObject({ code: 'RECORD_MISSING' });
  await store.close();
});

test('says so where no folder can be made', async () => {
  const store = connect('sqlite:/proc/nowhere/tasks.db');
  await expect(store.broker.open()).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
});
