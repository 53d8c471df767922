/** Tests enqueues in a user's own transaction: on their connection to the file of the store, and what is refused. */

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { connect } from '../../src/broker/connect.ts';
import { type Client, makeClient } from '../../src/client/client.ts';
import { replaceDefaultClient } from '../../src/client/default-client.ts';
import { task } from '../../src/client/define.ts';
import { flow } from '../../src/client/flow.ts';

const welcome = task('email.welcome', { input: z.object({ userId: z.string() }), run: () => 'sent' });
const signUp = flow('sign-up', { input: z.object({ userId: z.string() }) })
  .step('welcome', welcome)
  .from((results) => results.flow);

let folder: string;
let file: string;
let client: Client;
let user: DatabaseSync;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-tx-'));
  file = join(folder, 'app.db');
  client = clientOf(`sqlite:${file}`);
  replaceDefaultClient(client);
  await client.open();
  user = new DatabaseSync(file);
  user.exec('CREATE TABLE users (id TEXT PRIMARY KEY)');
});

afterEach(async () => {
  replaceDefaultClient(null);
  if (user.isOpen) user.close();
  await client.close();
  rmSync(folder, { recursive: true });
});

function clientOf(url: string): Client {
  const store = connect(url);
  return makeClient({
    open: async () => {
      await store.broker.open();
      return store;
    },
  });
}

function signUpUser(userId: string): void {
  user.exec('BEGIN IMMEDIATE');
  user.prepare('INSERT INTO users (id) VALUES (?)').run(userId);
}

const users = (): readonly unknown[] => user.prepare('SELECT id FROM users').all();

test('a task and the rows it is about are committed together', async () => {
  signUpUser('ada');
  const handle = await welcome.enqueue({ userId: 'ada' }, { tx: user });
  await expect(handle.state()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  user.exec('COMMIT');
  await handle.afterCommit();
  expect([handle.created, await handle.state(), users().length]).toEqual([true, 'queued', 1]);
});

test('a rollback leaves neither', async () => {
  signUpUser('ada');
  const handle = await welcome.enqueue({ userId: 'ada' }, { tx: user });
  user.exec('ROLLBACK');
  await expect(handle.state()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  expect(users()).toEqual([]);
});

test('more tasks than one call of the store carries are of one transaction', async () => {
  const inputs = Array.from({ length: 2_500 }, (_, index) => ({ userId: `u${index}` }));
  const broker = await client.open();
  for (const how of ['ROLLBACK', 'COMMIT']) {
    signUpUser(how);
    const handles = await welcome.enqueueMany(inputs, { tx: user });
    user.exec(how);
    const found = await broker.getTasks([handles[0]!.id, handles[2_499]!.id]);
    expect(found.map((each) => each?.state)).toEqual(how === 'COMMIT' ? ['queued', 'queued'] : [undefined, undefined]);
  }
});

test('a refused task leaves the transaction to its owner', async () => {
  signUpUser('ada');
  const first = await welcome.enqueue({ userId: 'ada' }, { tx: user, key: 'ada' });
  const second = welcome.enqueue({ userId: 'ada' }, { tx: user, key: 'ada', ifExists: 'error' });
  await expect(second).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
  await expect(welcome.enqueue({ userId: 1 as never }, { tx: user })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  user.exec('COMMIT');
  expect([await first.state(), users().length]).toEqual(['queued', 1]);
});

test('a flow begins with the commit', async () => {
  signUpUser('ada');
  const handle = await signUp.enqueue({ userId: 'ada' }, { tx: user });
  user.exec('COMMIT');
  await handle.afterCommit();
  expect(await handle.state()).toBe('queued');
});

test('the file may be reached by another name', async () => {
  symlinkSync(file, join(folder, 'link.db'));
  const other = new DatabaseSync(join(folder, 'link.db'), { readBigInts: true, returnArrays: true });
  other.exec('BEGIN');
  const handle = await welcome.enqueue({ userId: 'ada' }, { tx: other });
  other.exec('COMMIT');
  other.close();
  expect(await handle.state()).toBe('queued');
});

test('savepoints of its owner may be around it, of whatever name', async () => {
  signUpUser('ada');
  user.exec('SAVEPOINT taskflow');
  const lost = await welcome.enqueue({ userId: 'ada' }, { tx: user });
  user.exec('ROLLBACK TO taskflow');
  const kept = await welcome.enqueue({ userId: 'ada' }, { tx: user });
  user.exec('COMMIT');
  await expect(lost.state()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  expect(await kept.state()).toBe('queued');
});

test.each<[string, () => unknown, RegExp]>([
  ['no transaction', () => user, /is in no transaction now/],
  ['a closed connection', () => closed(user), /is closed/],
  ['another file', () => begun(join(folder, 'other.db')), /other\.db open, and the store is/],
  ['a database in memory', () => begun(':memory:'), /a database in memory open/],
  ['something else', () => ({ query: () => [] }), /a DatabaseSync of node:sqlite is needed/],
  ['null', () => null, /a DatabaseSync of node:sqlite is needed/],
])('%s is refused', async (_what, makeTx, problem) => {
  const tx = makeTx() as DatabaseSync;
  await expect(welcome.enqueue({ userId: 'ada' }, { tx })).rejects.toMatchObject({
    code: 'TX_NOT_JOINABLE',
    message: expect.stringMatching(problem),
  });
});

function closed(database: DatabaseSync): DatabaseSync {
  database.close();
  return database;
}

function begun(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('BEGIN');
  return database;
}

test('a commit that does not wait for the call leaves nothing of it', async () => {
  signUpUser('ada');
  const late = welcome.enqueue({ userId: 'ada' }, { tx: user });
  user.exec('COMMIT');
  await expect(late).rejects.toMatchObject({ code: 'TX_NOT_JOINABLE' });
  expect(await (await client.open()).getTasks([])).toEqual([]);
  expect(user.prepare('SELECT count(*) AS tasks FROM tasks').get()).toEqual({ tasks: 0 });
});

test('a lock that another transaction holds is told with the way to begin', async () => {
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  user.exec('BEGIN');
  await expect(welcome.enqueue({ userId: 'ada' }, { tx: user })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    hint: expect.stringContaining('BEGIN IMMEDIATE'),
  });
  other.close();
});

test('a store in memory takes no part, and says what to do', async () => {
  const inMemory = clientOf('sqlite::memory:');
  replaceDefaultClient(inMemory);
  user.exec('BEGIN');
  await expect(welcome.enqueue({ userId: 'ada' }, { tx: user })).rejects.toMatchObject({
    code: 'TX_NOT_JOINABLE',
    hint: 'Enqueue after the commit, without tx.',
  });
  await inMemory.close();
});

test('a transaction belongs to a call, not to one of its items, nor to a wait for the result', async () => {
  user.exec('BEGIN');
  const items = [{ input: { userId: 'ada' }, options: { tx: user } as object }];
  await expect(welcome.enqueueMany(items)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  const run = welcome.run({ userId: 'ada' }, { tx: user } as object);
  await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION' });
});
