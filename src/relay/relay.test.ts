/** Tests the relay from an SQLite database to a broker outside of it: killed at any step it dispatches each task once. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../../test/conformance/samples.ts';
import type { Broker } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import { sqliteDialect } from '../broker/sqlite/connection.ts';
import { createSqliteJoin } from '../broker/sqlite/join.ts';
import { createSqliteBroker } from '../broker/sqlite/store.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import type { NewTask } from '../core/task.ts';
import { createRelay, type Relay, waitingRows } from './relay.ts';

let folder: string;
let file: string;
let now: number;
let record: ReturnType<typeof createSqliteBroker>;
let broker: Broker;
let relay: Relay;
let user: DatabaseSync;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-relay-'));
  file = join(folder, 'app.db');
  now = 1_750_000_000_000;
  record = createSqliteBroker({ file, now: () => now });
  await record.open();
  broker = createMemoryBroker({ now: () => now, chance: seededChance(1) });
  relay = relayOver(record.driver, broker);
  user = new DatabaseSync(file);
});

afterEach(async () => {
  user.close();
  await record.close();
  rmSync(folder, { recursive: true });
});

function relayOver(driver: SqlDriver, to: Pick<Broker, 'enqueue'>): Relay {
  return createRelay({ driver, broker: to, join: createSqliteJoin({ file, now: () => now }) });
}

async function commit(tasks: readonly NewTask[], how = 'COMMIT') {
  user.exec('BEGIN IMMEDIATE');
  const results = await relay.transactions.enqueue(user, tasks);
  user.exec(how);
  return results;
}

const rowsLeft = (): unknown => user.prepare('SELECT count(*) AS rows FROM relay').get();
const ids = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => sampleId(from + index));
const statesOf = async (taskIds: readonly string[]) =>
  (await broker.getTasks(taskIds)).map((task) => task?.state ?? null);

test('a task of a committed transaction is pushed with its id, and its row goes', async () => {
  const results = await commit([newTask(sampleId(1)), newTask(sampleId(2), { delayMs: 1_000 })]);
  expect(results).toMatchObject([{ state: 'queued' }, { state: 'scheduled' }]);
  expect(await statesOf(ids(1, 2))).toEqual([null, null]);
  await relay.transactions.announce();
  expect(await statesOf(ids(1, 2))).toEqual(['queued', 'scheduled']);
  expect(rowsLeft()).toEqual({ rows: 0 });
});

test('a task of a transaction that is rolled back is never pushed', async () => {
  await commit([newTask(sampleId(1))], 'ROLLBACK');
  expect(await relay.tick()).toBe('done');
  expect(await statesOf([sampleId(1)])).toEqual([null]);
});

test('more than one call carries is pushed call by call, a child behind its parent', async () => {
  const dependsOn = [{ taskId: sampleId(1_000), onFailure: 'fail' }] as const;
  await commit(ids(1, 1_000).map((id) => newTask(id)));
  await commit([newTask(sampleId(1_001), { dependsOn })]);
  expect([await relay.tick(), await relay.tick()]).toEqual(['full', 'done']);
  expect(await statesOf([sampleId(1), sampleId(1_001)])).toEqual(['queued', 'blocked']);
});

test('times count from the enqueue, however late the push is', async () => {
  await commit([newTask(sampleId(1), { delayMs: 5_000, expiresInMs: 60_000 })]);
  now += 10_000;
  await relay.tick();
  expect((await broker.getTasks([sampleId(1)]))[0]).toMatchObject({ state: 'queued', expiresAt: now + 50_000 });
});

test('a task that the broker refuses is set aside with the reason, and holds up no other', async () => {
  await broker.enqueue([newTask(sampleId(50), { key: 'held' })]);
  const orphan = newTask(sampleId(2), { dependsOn: [{ taskId: sampleId(99), onFailure: 'fail' }] });
  const strict = newTask(sampleId(3), { key: 'held', ifExists: 'error' });
  const kept = newTask(sampleId(4), { key: 'held' });
  await commit([newTask(sampleId(1)), orphan, strict, kept, newTask(sampleId(5))]);
  await relay.tick();
  expect(await statesOf(ids(1, 5))).toEqual(['queued', null, null, null, 'queued']);
  expect(await relay.setAside(10)).toMatchObject([
    { taskId: sampleId(2), problem: expect.stringContaining('The flow is not valid') },
    { taskId: sampleId(3), problem: expect.stringContaining('held') },
  ]);
  expect(await relay.tick()).toBe('done');
});

test('a broker that is away costs nothing but time', async () => {
  await commit([newTask(sampleId(1))]);
  const away = { enqueue: () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'gone' })) };
  await expect(relayOver(record.driver, away).tick()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  await relay.tick();
  expect(await statesOf([sampleId(1)])).toEqual(['queued']);
});

test('what the broker has forgotten and the record knows is not pushed again', async () => {
  await commit([newTask(sampleId(1))]);
  await record.enqueue([newTask(sampleId(1))]);
  await relay.tick();
  expect(await statesOf([sampleId(1)])).toEqual([null]);
  expect(rowsLeft()).toEqual({ rows: 0 });
});

test('a run cannot end in a transaction of another store', async () => {
  const end = settlement(sampleId(1), { taskId: sampleId(1), token: sampleToken(1), epoch: 1 }, finish('succeeded'));
  await expect(relay.transactions.settle(user, [end])).rejects.toMatchObject({ code: 'TX_NOT_JOINABLE' });
});

test('the rows that wait are found by their index, however many were set aside', () => {
  const text = waitingRows.text(sqliteDialect).replace('$1', '10');
  expect(JSON.stringify(user.prepare(`EXPLAIN QUERY PLAN ${text}`).all())).toContain('INDEX relay_waiting');
});

/** The target, whose calls fail from a number on: before they are done, or after. */
function dyingAt<Target extends object>(target: Target, step: { left: number; after: boolean }): Target {
  return new Proxy(target, {
    get(of, name, receiver) {
      const member: unknown = Reflect.get(of, name, receiver);
      if (typeof member !== 'function') return member;
      return async (...given: unknown[]) => {
        const dies = step.left-- <= 0;
        if (dies && !step.after) throw new Error('killed');
        const answer: unknown = await member.apply(of, given);
        if (dies) throw new Error('killed');
        return answer;
      };
    },
  });
}

test.each([false, true])('killed at any step (after it was done: %s), each task is dispatched once', async (after) => {
  await broker.enqueue([newTask(sampleId(900), { key: 'held', queue: 'elsewhere' })]);
  for (let at = 0; at < 12; at++) {
    const first = 10 * at + 1;
    const refused = newTask(sampleId(first + 3), { key: 'held', ifExists: 'error' });
    await commit([...ids(first, 3).map((id) => newTask(id)), refused]);
    const step = { left: at, after };
    await relayOver(dyingAt(record.driver, step), dyingAt(broker, step))
      .tick()
      .catch(() => {});
    // A worker is faster than the next relay: what it has run must not come again.
    const claimed = await broker.claim(claimRequest(sampleToken(at + 1)));
    await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
    await Promise.all([relay.tick(), relay.tick()]);
    const rest = await broker.claim(claimRequest(sampleToken(at + 500)));
    const ran = [...claimed, ...rest].map(({ task }) => task.id);
    expect(ran.sort()).toEqual(ids(first, 3));
    await broker.settle(rest.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
  }
});
