/** What a user meets on the way to a Postgres: one line with the cause and the next thing to do; and what is heard from others. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { Signal } from '../../src/broker/broker.ts';
import { connect } from '../../src/broker/connect.ts';
import { createRecordDatabase } from '../../src/broker/record-database.ts';
import { freePort } from '../../src/servers/free-port.ts';
import { bodyOf, createRecord, eventOf } from '../conformance/recording-samples.ts';
import { claimRequest, newTask, sampleId, sampleToken } from '../conformance/samples.ts';
import { onPostgres } from '../support/postgres-tests.ts';

await onPostgres(({ url, createDatabase }) => {
  const changed = (change: (url: URL) => void, from = url): string => {
    const next = new URL(from);
    change(next);
    return next.href;
  };

  async function asOwner(database: string, text: string): Promise<void> {
    const client = new Client({ connectionString: database });
    await client.connect();
    await client.query(text);
    await client.end();
  }

  async function refused(from: string): Promise<{ readonly code: string; readonly text: string }> {
    const store = connect(from);
    const error = (await store.broker.open().then(
      () => null,
      (thrown: unknown) => thrown,
    )) as { readonly code: string; readonly message: string; readonly hint?: string } | null;
    await store.close();
    return { code: error?.code ?? 'opened', text: `${error?.message} | ${error?.hint}` };
  }

  test('a port where nobody listens, an unknown host, user and database are told apart, and no password is shown', async () => {
    const port = await freePort();
    const withPassword = (change: (url: URL) => void) =>
      refused(changed((next) => [Object.assign(next, { password: 'geheim' }), change(next)]));
    const [nobody, nowhere, user, database] = await Promise.all([
      withPassword((next) => Object.assign(next, { port: String(port) })),
      withPassword((next) => Object.assign(next, { hostname: 'nowhere.invalid' })),
      withPassword((next) => Object.assign(next, { username: 'nobody_here' })),
      withPassword((next) => Object.assign(next, { pathname: '/no_such_database' })),
    ]);
    for (const { code, text } of [nobody, nowhere, user, database]) {
      expect(code).toBe('STORE_UNREACHABLE');
      expect(text).not.toMatch(/geheim|\n/);
    }
    expect(nobody.text).toMatch(/Check host and port/);
    expect(nowhere.text).toMatch(/Check the name of the host/);
    expect(user.text).toMatch(/Check the user and the password/);
    expect(database.text).toMatch(/createdb/);
  });

  test('who listens there and is no Postgres is told as unreachable', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number };
    expect((await refused(`postgres://ada@127.0.0.1:${port}/tasks`)).code).toBe('STORE_UNREACHABLE');
    server.close();
  });

  test('a user without rights, a schema of a later program and tables of another one are refused', async () => {
    const own = await createDatabase();
    await asOwner(own, 'create role reader login; create schema theirs; create table theirs.tasks (id int)');
    expect(await refused(changed((next) => Object.assign(next, { username: 'reader' }), own))).toMatchObject({
      code: 'STORE_READ_ONLY',
    });
    expect(await refused(changed((next) => next.searchParams.set('namespace', 'theirs'), own))).toMatchObject({
      code: 'STORE_FOREIGN',
    });
    const store = connect(own);
    await store.broker.open();
    await store.close();
    await asOwner(own, "insert into taskflow.migrations (name, at) values ('9999_later', 0); drop role reader");
    expect(await refused(own)).toMatchObject({ code: 'STORE_TOO_NEW' });
  });

  test("a record whose tables are somebody else's is kept all the same", async () => {
    const own = await createDatabase();
    const store = connect(own);
    await store.broker.open();
    await store.close();
    const rights =
      'grant all on all tables in schema taskflow to writer; grant all on all sequences in schema taskflow to writer';
    await asOwner(own, `create role writer login; grant usage on schema taskflow to writer; ${rights}`);
    const asWriter = changed((next) => Object.assign(next, { username: 'writer' }), own);
    const record = createRecordDatabase(asWriter, { folder: '.', namespace: 'taskflow' });
    onTestFinished(async () => {
      await record.close();
      await asOwner(own, 'drop owned by writer; drop role writer');
    });
    await record.open();
    const { take, ids, recording } = createRecord(record.driver);
    const waiting = bodyOf(1);

    expect(await take([eventOf('enqueue', waiting, null)], [waiting])).toBe(true);
    expect(await ids('state:queued')).toEqual([sampleId(1)]);
    expect(await recording.unfinished(null, 10)).toEqual([waiting.task]);
  });

  test('durability is told as the server has it', async () => {
    const store = connect(url);
    await store.broker.open();
    const { kind, durability, detail } = await store.broker.info();
    expect(kind).toBe('postgres');
    expect(detail).toMatch(/synchronous_commit=\w+, fsync=\w+/);
    const unsafe = /fsync=off/.test(detail);
    expect(durability).toBe(unsafe ? 'volatile' : /commit=off/.test(detail) ? 'standard' : 'strict');
    await store.close();
  });

  test('namespaces in one database know nothing of each other', async () => {
    const [one, other] = [connect(url, { namespace: 'one' }), connect(url, { namespace: 'other.one' })];
    await Promise.all([one.broker.open(), other.broker.open()]);
    await one.broker.enqueue([newTask(sampleId(1))]);
    expect(await other.broker.getTasks([sampleId(1)])).toEqual([null]);
    expect((await one.history.task(sampleId(1)))?.task.state).toBe('queued');
    await Promise.all([one.close(), other.close()]);
  });

  test('a pooler that gives each transaction another connection needs no prepared statements', async () => {
    const store = connect(
      changed((next) => next.searchParams.set('prepare', 'false')),
      { namespace: 'pooled' },
    );
    await store.broker.open();
    await store.broker.enqueue([newTask(sampleId(1))]);
    expect(await store.broker.claim(claimRequest(sampleToken(1)))).toHaveLength(1);
    await store.close();
  });

  test('what another process enqueues is heard, and heard again when the connection that listens was cut', async () => {
    const [mine, theirs] = [connect(url, { namespace: 'heard' }), connect(url, { namespace: 'heard' })];
    await Promise.all([mine.broker.open(), theirs.broker.open()]);
    let told = Promise.withResolvers<void>();
    const hear = (signal: Signal): void => {
      if (signal.kind === 'work') told.resolve();
    };
    mine.broker.subscribe(hear);
    for (let number = 1, round = 0; round < 2; round += 1) {
      told = Promise.withResolvers();
      const done = told.promise.then(() => true);
      // The first ones may come before it listens.
      while (!(await Promise.race([done, soon()]))) await theirs.broker.enqueue([newTask(sampleId(number++))]);
      await asOwner(url, "select pg_terminate_backend(pid) from pg_stat_activity where query like 'LISTEN%'");
    }
    await Promise.all([mine.close(), theirs.close()]);
  });
});

function soon(): Promise<boolean> {
  return new Promise((resolve) => setTimeout(() => resolve(false), 50));
}
