/** Tests tasks in a user's own Postgres transaction: whatever their client, their schema and their savepoints. */

import { Client, Pool } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { makeClient, type Client as TaskClient } from '../../src/client/client.ts';
import { replaceDefaultClient } from '../../src/client/default-client.ts';
import { task } from '../../src/client/define.ts';
import { onPostgres } from '../support/postgres-tests.ts';

const welcome = task('email.welcome', { input: z.object({ userId: z.string() }), run: () => 'sent' });
/** Longer than a test: whoever is held up fails by it. */
const lockMs = 2_000;

await onPostgres(({ url, createDatabase }) => {
  let client: TaskClient;
  let user: Client;

  beforeEach(async () => {
    const broker = createPostgresBroker({ address: { ...readPostgresUrl(url), pool: 4 }, namespace: 'taskflow' });
    client = makeClient({
      open: async () => {
        await broker.open();
        return { broker, close: () => broker.close() };
      },
    });
    replaceDefaultClient(client);
    await client.open();
    user = new Client({ connectionString: url });
    await user.connect();
    // Their own schema, with a table of a name that TaskFlow has too.
    await user.query('DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app; SET search_path TO app');
    await user.query('CREATE TABLE tasks (id text PRIMARY KEY)');
    await user.query(`SET lock_timeout = ${lockMs}`);
  });

  afterEach(async () => {
    replaceDefaultClient(null);
    await user.end();
    await client.close();
  });

  test('tasks and rows are committed together, and rolled back together', async () => {
    const broker = await client.open();
    for (const how of ['ROLLBACK', 'COMMIT']) {
      await user.query('BEGIN');
      await user.query('INSERT INTO tasks VALUES ($1)', ['ada']);
      const one = await welcome.enqueue({ userId: 'ada' }, { tx: user, key: 'ada', group: 'g' });
      const many = await welcome.enqueueMany(
        Array.from({ length: 1_200 }, (_, index) => ({ userId: `u${index}` })),
        { tx: user },
      );
      expect(await broker.getTasks([one.id])).toEqual([null]);
      await user.query(how);
      await one.afterCommit();
      const found = await broker.getTasks([one.id, many[1_199]!.id]);
      expect(found.map((each) => each?.state)).toEqual(
        how === 'COMMIT' ? ['queued', 'queued'] : [undefined, undefined],
      );
      const { rows } = await user.query('SELECT id FROM tasks');
      expect(rows).toHaveLength(how === 'COMMIT' ? 1 : 0);
    }
  });

  test('many calls in one transaction, in savepoints of its owner, are told from what was there', async () => {
    const before = await welcome.enqueue({ userId: 'before' });
    await user.query('BEGIN');
    const again = await welcome.enqueue({ userId: 'before' }, { tx: user, id: before.id });
    await user.query('SAVEPOINT taskflow');
    const lost = await welcome.enqueue({ userId: 'lost' }, { tx: user });
    await user.query('ROLLBACK TO taskflow');
    const items = [
      { input: { userId: 'before' }, options: { id: before.id } },
      { input: { userId: 'after' }, options: {} },
    ];
    const handles = await welcome.enqueueMany(items, { tx: user });
    expect([again, ...handles].map(({ created }) => created)).toEqual([false, false, true]);
    await user.query('COMMIT');
    expect(await handles[1]!.state()).toBe('queued');
    await expect(lost.state()).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  test('an enqueue in an open transaction holds up neither enqueues, claims, folds nor prunes', async () => {
    await user.query('BEGIN');
    await welcome.enqueue({ userId: 'open' }, { tx: user, queue: 'busy' });
    const { enqueue, ...broker } = (await client.open()) as ReturnType<typeof createPostgresBroker>;
    // More than are folded at once, so that the counts are folded beside the open one's.
    for (let n = 0; n < 250; n++) await welcome.enqueue({ userId: `u${n}` }, { queue: 'busy' });
    const request = { workerId: 'w', token: 'a'.repeat(32), queues: [{ name: 'busy', limit: 100 }], limit: 100 };
    expect(await broker.claim({ ...request, leaseMs: 1_000 })).toHaveLength(100);
    await broker.prune(100);
    const counted = async () => (await broker.getQueues()).find(({ name }) => name === 'busy')?.counts;
    expect(await counted()).toEqual({ queued: 150, running: 100 });
    await user.query('COMMIT');
    expect(await counted()).toEqual({ queued: 151, running: 100 });
  });

  test('a client that knows rows as objects only will do', async () => {
    const seen: object[] = [];
    const other = {
      query: async (text: string, values: unknown[]) => {
        const { rows } = await user.query(text, values);
        seen.push(...rows);
        return { rows };
      },
    };
    await user.query('BEGIN ISOLATION LEVEL SERIALIZABLE');
    const handle = await welcome.enqueue({ userId: 'a"b\\c{},' }, { tx: other, key: 'k"\\', tags: ['x'] });
    await user.query('COMMIT');
    expect(await handle.state()).toBe('queued');
    expect(seen.every((row) => Object.keys(row).length <= 1)).toBe(true);
  });

  test('a connection that is in no transaction, or elsewhere, is refused', async () => {
    const elsewhere = new Client({ connectionString: await createDatabase() });
    await elsewhere.connect();
    await elsewhere.query('BEGIN');
    const pool = new Pool({ connectionString: url });
    const failed = new Client({ connectionString: url });
    await failed.connect();
    await failed.query('BEGIN');
    await failed.query('SELECT nothing').catch(() => {});
    for (const [tx, problem] of [
      [user, /is in no transaction now/],
      [pool, /is in no transaction now/],
      [failed, /has failed already/],
      [elsewhere, /without the tables of the store/],
      [{}, /a connection with query/],
    ] as const) {
      await expect(welcome.enqueue({ userId: 'ada' }, { tx: tx as Client })).rejects.toMatchObject({
        code: 'TX_NOT_JOINABLE',
        message: expect.stringMatching(problem),
      });
    }
    await Promise.all([elsewhere.end(), pool.end(), failed.end()]);
  });

  test('a refused call leaves the transaction as it was', async () => {
    await user.query('BEGIN');
    await user.query("INSERT INTO tasks VALUES ('kept')");
    await welcome.enqueue({ userId: 'a' }, { tx: user, key: 'held' });
    const second = welcome.enqueue({ userId: 'a' }, { tx: user, key: 'held', ifExists: 'error' });
    await expect(second).rejects.toMatchObject({ code: 'KEY_CONFLICT' });
    const orphan = welcome.enqueue({ userId: 'a' }, { tx: user, dependsOn: ['01K8Q2M4ZJE008000000000000'] });
    await expect(orphan).rejects.toMatchObject({ code: 'INVALID_FLOW' });
    await user.query('COMMIT');
    expect((await user.query('SELECT id FROM tasks')).rows).toEqual([{ id: 'kept' }]);
  });
});
