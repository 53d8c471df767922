/** Runs the examples of other libraries' transactions against Postgres: what they commit is there, what they roll back never was. */

import { drizzle } from 'drizzle-orm/node-postgres';
import knexOf from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import { type Client, Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import * as onDrizzle from '../../examples/transactions/drizzle.ts';
import * as onKnex from '../../examples/transactions/knex.ts';
import * as onKysely from '../../examples/transactions/kysely.ts';
import * as onPrisma from '../../examples/transactions/prisma.ts';
import { createPostgresBroker } from '../../src/broker/postgres/store.ts';
import { readPostgresUrl } from '../../src/broker/postgres/url.ts';
import { makeClient, type Client as TaskClient } from '../../src/client/client.ts';
import { replaceDefaultClient } from '../../src/client/default-client.ts';
import { flow, type Handle, type PostgresTransaction, task } from '../../src/index.ts';
import { onPostgres } from '../support/postgres-tests.ts';

interface Library {
  signUp(email: string): Promise<string>;
  /** Runs `work` in a transaction of the library's, which is rolled back when it rejects. */
  transaction(work: (tx: PostgresTransaction) => Promise<void>): Promise<void>;
  end(): Promise<unknown>;
}

const libraries: Readonly<Record<string, (url: string) => Library>> = {
  kysely(url) {
    const db = new Kysely<onKysely.Database>({
      dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }),
    });
    return {
      signUp: (email) => onKysely.signUp(db, email),
      transaction: (work) => db.transaction().execute((trx) => work(onKysely.transactionOf(trx))),
      end: () => db.destroy(),
    };
  },
  drizzle(url) {
    const pool = new Pool({ connectionString: url });
    const db = drizzle({ client: pool });
    return {
      signUp: (email) => onDrizzle.signUp(db, email),
      transaction: (work) => db.transaction((tx) => work(onDrizzle.transactionOf(tx))),
      end: () => pool.end(),
    };
  },
  knex(url) {
    const knex = knexOf({ client: 'pg', connection: url });
    return {
      signUp: (email) => onKnex.signUp(knex, email),
      transaction: (work) => knex.transaction(async (trx) => work(await onKnex.transactionOf(trx))),
      end: () => knex.destroy(),
    };
  },
  // Its engine is a download: here it is what the example asks of it.
  prisma(url) {
    const pool = new Pool({ connectionString: url });
    const prisma = prismaOver(pool);
    return {
      signUp: (email) => onPrisma.signUp(prisma, email),
      transaction: (work) => prisma.$transaction((tx) => work(onPrisma.transactionOf(tx))),
      end: () => pool.end(),
    };
  },
};

function prismaOver(pool: Pool): onPrisma.PrismaClient {
  const transactionOn = (client: Pick<Client, 'query'>): onPrisma.PrismaTransaction => ({
    user: { create: ({ data }) => client.query('INSERT INTO users VALUES ($1)', [data.email]) },
    $queryRawUnsafe: async <Rows>(text: string, ...values: unknown[]) =>
      (await client.query(text, values)).rows as Rows,
  });
  return {
    $transaction: async (work) => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const answer = await work(transactionOn(client));
        await client.query('COMMIT');
        return answer;
      } catch (error) {
        await client.query('ROLLBACK');
        throw error;
      } finally {
        client.release();
      }
    },
  };
}

const step = task('orm.step', { input: z.object({ n: z.number() }), run: ({ n }) => n });
const many = task('orm.many', {
  input: z.object({ text: z.string() }),
  group: 'g:{text}',
  concurrency: { limit: 2, key: 'c' },
  run: () => null,
});
const chain = flow('orm.chain', { input: z.object({ n: z.number() }) })
  .step('first', step)
  .from(({ flow: { n } }) => ({ n }));

/** What drivers and builders of statements might stumble over. */
const awkward = ['plain', "it's", '$1 and ?', 'a\\"b', '{"x":[1]}', 'ü\u{1f600}', ''];

await onPostgres(({ url }) => {
  let client: TaskClient;
  let users: Pool;

  beforeAll(async () => {
    users = new Pool({ connectionString: url });
    await users.query('CREATE TABLE users (email text PRIMARY KEY)');
    const broker = createPostgresBroker({ address: { ...readPostgresUrl(url), pool: 4 }, namespace: 'taskflow' });
    client = makeClient({
      open: async () => {
        await broker.open();
        return { broker, close: () => broker.close() };
      },
    });
    replaceDefaultClient(client);
  });

  afterAll(async () => {
    replaceDefaultClient(null);
    await users.end();
    await client.close();
  });

  const stateOf = async (taskId: string) => (await (await client.open()).getTasks([taskId]))[0]?.state ?? null;

  describe.each(Object.entries(libraries))('%s', (name, createLibrary) => {
    let library: Library;
    beforeAll(() => {
      library = createLibrary(url);
    });
    afterAll(() => library.end());

    test('a row and its task are one commit', async () => {
      const email = `ada@${name}`;
      expect(await stateOf(await library.signUp(email))).toBe('queued');
      expect((await users.query('SELECT email FROM users WHERE email = $1', [email])).rows).toEqual([{ email }]);
      // The row is refused, and so nothing is there of either.
      await expect(library.signUp(email)).rejects.toThrow();
    });

    test('tasks of every kind are there after a commit, whatever is in them', async () => {
      const handles: Handle<unknown>[] = [];
      await library.transaction(async (tx) => {
        handles.push(
          ...(await many.enqueueMany(
            awkward.map((text) => ({ text })),
            { tx },
          )),
        );
        handles.push(await step.enqueue({ n: 1 }, { tx, delay: '1m', tags: ['t'], key: `k${name}`, keyFor: '1h' }));
        handles.push(await step.enqueue({ n: 2 }, { tx, dependsOn: [handles.at(-1)!.id] }));
        handles.push(await chain.enqueue({ n: 3 }, { tx }));
        expect((await step.enqueue({ n: 4 }, { tx, key: `k${name}` })).created).toBe(false);
      });
      const tasks = await (await client.open()).getTasks(handles.map(({ id }) => id));
      expect(tasks.slice(0, awkward.length).map((each) => JSON.parse(each!.payload))).toEqual(
        awkward.map((text) => ({ text })),
      );
      expect(tasks.slice(awkward.length).map((each) => each?.state)).toEqual(['scheduled', 'blocked', 'queued']);
    });

    test('a rollback takes the tasks with it, and a refusal leaves the transaction as it was', async () => {
      const ids: string[] = [];
      const work = async (tx: PostgresTransaction): Promise<void> => {
        ids.push((await step.enqueue({ n: 1 }, { tx })).id);
        const dependsOn = ['01K8Q2M4ZJF0C9YF4V7Z0B2HNX'];
        await expect(step.enqueue({ n: 2 }, { tx, dependsOn })).rejects.toMatchObject({ code: 'INVALID_FLOW' });
        ids.push((await step.enqueue({ n: 3 }, { tx })).id);
        throw new Error('rolled back');
      };
      await expect(library.transaction(work)).rejects.toThrow('rolled back');
      expect(await Promise.all(ids.map(stateOf))).toEqual([null, null]);
    });
  });
});
