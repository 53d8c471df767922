/** Tests handlers that end their task in their own transaction: one effect and one end, whatever happens in between. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Broker } from '../../src/broker/broker.ts';
import { connect } from '../../src/broker/connect.ts';
import { type Client, makeClient } from '../../src/client/client.ts';
import { replaceDefaultClient } from '../../src/client/default-client.ts';
import { task } from '../../src/client/define.ts';
import { type Context, definitionOf } from '../../src/core/definition.ts';
import type { Store } from '../../src/history/history.ts';
import { createWorker, type Worker } from '../../src/worker/worker.ts';
import { book, type Fault } from './programs/bookings.ts';

let folder: string;
let file: string;
let store: Store;
let client: Client;
let user: DatabaseSync;
let worker: Worker | null;
let events: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-complete-'));
  file = join(folder, 'app.db');
  store = connect(`sqlite:${file}`);
  await store.broker.open();
  client = makeClient({ open: async () => store });
  replaceDefaultClient(client);
  user = new DatabaseSync(file, { timeout: 5_000 });
  user.exec('CREATE TABLE bookings (order_id TEXT NOT NULL, run INTEGER NOT NULL)');
  worker = null;
  events = [];
});

afterEach(async () => {
  await worker?.stop();
  replaceDefaultClient(null);
  user.close();
  await client.close();
  rmSync(folder, { recursive: true });
});

function work(...tasks: readonly object[]): void {
  const bookings = fileURLToPath(new URL('./programs/bookings.ts', import.meta.url));
  worker = createWorker({
    store,
    definitions: tasks.map((one) => definitionOf(one)!),
    modules: { 'shop.book': bookings },
    services: 'always',
  });
  for (const name of ['succeeded', 'retrying', 'failed', 'cancelled', 'dropped'] as const)
    worker.on(name, () => events.push(name));
  worker.start();
}

const bookings = (): readonly unknown[] =>
  user
    .prepare('SELECT run FROM bookings')
    .all()
    .map(({ run }) => run);

/** A task of this process, whose handler is given the open transaction. */
function booking(run: (ctx: Context, tx: DatabaseSync) => Promise<unknown>) {
  return task('here.book', {
    input: z.object({}),
    retry: { attempts: 3, delay: 10 },
    async run(_input, ctx) {
      user.exec('BEGIN IMMEDIATE');
      try {
        user.prepare("INSERT INTO bookings VALUES ('a', ?)").run(ctx.attempt);
        return await run(ctx, user);
      } finally {
        if (user.isTransaction) user.exec('ROLLBACK');
      }
    },
  });
}

describe('a handler of this process', () => {
  test('ends with its effect, its result and what it brought along', async () => {
    const later = task('here.later', { input: z.object({}), run: () => null });
    const here = booking(async (ctx, tx) => {
      const { id } = await ctx.spawn(later, {}, { delay: '1h' });
      const result = await ctx.complete({ id }, { tx });
      tx.exec('COMMIT');
      return result;
    });
    work(here);
    const handle = await here.enqueue({});
    const { id } = (await handle.result({ timeout: '20s' })) as { id: string };
    expect(await (await client.handle(id)).state()).toBe('scheduled');
    await expect.poll(() => events).toEqual(['succeeded']);
    expect(bookings()).toEqual([1]);
  });

  test('has no effect and no end when its transaction is rolled back, and runs again', async () => {
    const here = booking(async (ctx, tx) => {
      await ctx.complete(ctx.attempt, { tx });
      if (ctx.attempt === 1) throw new Error('the commit failed');
      tx.exec('COMMIT');
      return ctx.attempt;
    });
    work(here);
    expect(await (await here.enqueue({})).result({ timeout: '20s' })).toBe(2);
    await expect.poll(() => events).toEqual(['retrying', 'succeeded']);
    expect(bookings()).toEqual([2]);
  });

  test('may complete again in the transaction that takes the place of one that failed', async () => {
    const here = booking(async (ctx, tx) => {
      await ctx.complete(1, { tx });
      tx.exec('ROLLBACK');
      tx.exec('BEGIN IMMEDIATE');
      const result = await ctx.complete(2, { tx });
      tx.exec('COMMIT');
      return result;
    });
    work(here);
    expect(await (await here.enqueue({})).result({ timeout: '20s' })).toBe(2);
  });

  test('cannot have its effects twice: a second end is refused', async () => {
    const refused: unknown[] = [];
    const here = booking(async (ctx, tx) => {
      const result = await ctx.complete(1, { tx });
      tx.exec('COMMIT');
      tx.exec('BEGIN IMMEDIATE');
      await ctx.complete(2, { tx }).catch((error: unknown) => refused.push(error));
      return result;
    });
    work(here);
    expect(await (await here.enqueue({})).result({ timeout: '20s' })).toBe(1);
    expect(refused).toMatchObject([{ code: 'LEASE_LOST' }]);
    expect(bookings()).toEqual([1]);
  });

  test('that lost its task to another run is refused in its transaction', async () => {
    const refused: unknown[] = [];
    const here = booking(async (ctx, tx) => {
      if (ctx.attempt > 1 || refused.length > 0) return 'the other run';
      tx.exec('COMMIT');
      await takeAway(store.broker, worker!.id);
      tx.exec('BEGIN IMMEDIATE');
      return await ctx.complete('a ghost', { tx }).catch((error: unknown) => {
        refused.push(error);
        throw error;
      });
    });
    work(here);
    expect(await (await here.enqueue({})).result({ timeout: '20s' })).toBe('the other run');
    expect(refused).toMatchObject([{ code: 'LEASE_LOST' }]);
  });

  test('is told of a connection that leads elsewhere, and fails', async () => {
    const here = booking((ctx) => ctx.complete(1, { tx: new DatabaseSync(':memory:') }));
    work(here);
    const handle = await here.enqueue({}, { retry: 1 });
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining('cannot be part of your transaction'),
    });
  });
});

/** Judges the run as if its worker were gone, and gives the task to the next. */
async function takeAway(broker: Broker, workerId: string): Promise<void> {
  const token = 'f'.repeat(32);
  const overdue = await broker.claimOverdue({ token, limit: 10, leaseMs: 60_000, deadWorkers: [workerId] });
  await broker.settle(
    overdue.map(({ lease }) => ({
      lease,
      verdict: { to: 'queued', charge: 'nothing', reason: 'lease_lost', error: null } as never,
      ranMs: null,
      progress: null,
      logs: [],
      spawn: [],
    })),
  );
}

describe('a handler in a process of its own', () => {
  test.each<[Fault, { run: number; events: string[] }]>([
    ['none', { run: 1, events: ['succeeded'] }],
    ['die after the commit', { run: 1, events: ['succeeded'] }],
    ['throw after the commit', { run: 1, events: ['succeeded'] }],
    ['die before the commit', { run: 2, events: ['retrying', 'succeeded'] }],
    ['return without a commit', { run: 2, events: ['retrying', 'succeeded'] }],
  ])('%s: it has one effect and one end', async (fault, expected) => {
    work(book);
    const handle = await book.enqueue({ file, order: 'a', fault });
    expect(await handle.result({ timeout: '60s' })).toEqual({ order: 'a', run: expected.run });
    await expect.poll(() => events).toEqual(expected.events);
    expect(bookings()).toEqual([expected.run]);
  });
});
