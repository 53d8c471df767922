/** Tests the relay from an SQLite database to a broker outside of it: killed at any step it dispatches each task once. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement } from '../../test/conformance/samples.ts';
import { dyingAt } from '../../test/support/dying-at.ts';
import type { Broker, Transactions } from '../broker/broker.ts';
import { createMemoryBroker } from '../broker/memory/memory-broker.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import { sqliteDialect } from '../broker/sqlite/connection.ts';
import { createSqliteJoin } from '../broker/sqlite/join.ts';
import { createSqliteBroker } from '../broker/sqlite/store.ts';
import { seededChance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Relay } from '../core/relay.ts';
import type { NewTask } from '../core/task.ts';
import { createRelay } from './relay.ts';
import { asideRows, readPage, roomLeft, waitingRows, waitingSizes } from './rows.ts';
import { withRelay } from './with-relay.ts';

let folder: string;
let file: string;
let now: number;
let record: ReturnType<typeof createSqliteBroker>;
let broker: Broker;
let relay: Relay;
let transactions: Transactions;
let user: DatabaseSync;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'taskflow-relay-'));
  file = join(folder, 'app.db');
  now = 1_750_000_000_000;
  record = createSqliteBroker({ file, now: () => now });
  await record.open();
  broker = createMemoryBroker({ now: () => now, chance: seededChance(1) });
  ({ relay, transactions } = relayOver(record.driver, broker));
  user = new DatabaseSync(file);
});

afterEach(async () => {
  user.close();
  await record.close();
  rmSync(folder, { recursive: true });
});

const time = { elapsed: () => now };

function relayOver(driver: SqlDriver, to: Pick<Broker, 'enqueue'>) {
  return createRelay({ driver, broker: to, join: createSqliteJoin({ file, now: () => now }), clock: time });
}

async function commit(tasks: readonly NewTask[], how = 'COMMIT') {
  user.exec('BEGIN IMMEDIATE');
  const results = await transactions.enqueue(user, tasks);
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
  await transactions.announce();
  expect(await statesOf(ids(1, 2))).toEqual(['queued', 'scheduled']);
  expect(rowsLeft()).toEqual({ rows: 0 });
});

test('a task of a transaction that is rolled back is never pushed', async () => {
  await commit([newTask(sampleId(1))], 'ROLLBACK');
  expect(await relay.push()).toBe('done');
  expect(await statesOf([sampleId(1)])).toEqual([null]);
});

test('more than one call carries is pushed call by call, a child behind its parent', async () => {
  const dependsOn = [{ taskId: sampleId(1_000), onFailure: 'fail' }] as const;
  await commit(ids(1, 1_000).map((id) => newTask(id)));
  await commit([newTask(sampleId(1_001), { dependsOn })]);
  expect([await relay.push(), await relay.push()]).toEqual(['full', 'done']);
  expect(await statesOf([sampleId(1), sampleId(1_001)])).toEqual(['queued', 'blocked']);
});

test('times count from the enqueue, however late the push is', async () => {
  await commit([newTask(sampleId(1), { delayMs: 5_000, expiresInMs: 60_000 })]);
  now += 10_000;
  await relay.push();
  expect((await broker.getTasks([sampleId(1)]))[0]).toMatchObject({ state: 'queued', expiresAt: now + 50_000 });
});

test('a task that the broker refuses is set aside with the reason, and holds up no other', async () => {
  await broker.enqueue([newTask(sampleId(50), { key: 'held' })]);
  const orphan = newTask(sampleId(2), { dependsOn: [{ taskId: sampleId(99), onFailure: 'fail' }] });
  const strict = newTask(sampleId(3), { key: 'held', ifExists: 'error' });
  const kept = newTask(sampleId(4), { key: 'held' });
  await commit([newTask(sampleId(1)), orphan, strict, kept, newTask(sampleId(5))]);
  await relay.push();
  expect(await statesOf(ids(1, 5))).toEqual(['queued', null, null, null, 'queued']);
  expect(await relay.setAside(10)).toMatchObject([
    { taskId: sampleId(2), problem: expect.stringContaining('The flow is not valid') },
    { taskId: sampleId(3), problem: expect.stringContaining('held') },
  ]);
  expect(await relay.push()).toBe('done');
});

test('a broker that is away costs nothing but time', async () => {
  await commit([newTask(sampleId(1))]);
  const away = { enqueue: () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'gone' })) };
  await expect(relayOver(record.driver, away).relay.push()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  await relay.push();
  expect(await statesOf([sampleId(1)])).toEqual(['queued']);
});

test('what the broker has forgotten and the record knows is not pushed again', async () => {
  await commit([newTask(sampleId(1))]);
  await record.enqueue([newTask(sampleId(1))]);
  await relay.push();
  expect(await statesOf([sampleId(1)])).toEqual([null]);
  expect(rowsLeft()).toEqual({ rows: 0 });
});

test('a run cannot end in a transaction of another store', async () => {
  const end = settlement(sampleId(1), { taskId: sampleId(1), token: sampleToken(1), epoch: 1 }, finish('succeeded'));
  await expect(transactions.settle(user, [end])).rejects.toMatchObject({ code: 'TX_NOT_JOINABLE' });
});

test('the rows that wait, and those aside, are found by their indexes, however many there are', () => {
  const plan = (text: string) =>
    JSON.stringify(user.prepare(`EXPLAIN QUERY PLAN ${text.replaceAll(/\$\d/g, '10')}`).all());
  for (const one of [waitingSizes, waitingRows]) expect(plan(one.text(sqliteDialect))).toContain('INDEX relay_waiting');
  expect(plan(asideRows.text(sqliteDialect))).toContain('INDEX relay_aside');
  expect(plan(roomLeft.text(sqliteDialect))).not.toContain('SCAN relay"');
});

test('a page is bounded in bytes, whatever the tasks are', async () => {
  const payload = JSON.stringify('x'.repeat(limits.payloadBytesMax - 2));
  await commit(ids(1, 6).map((id) => newTask(id, { payload })));
  expect((await readPage(record.driver)).rows).toHaveLength(3);
  expect([await relay.push(), await relay.push()]).toEqual(['full', 'done']);
  expect(await statesOf(ids(1, 6))).toEqual(ids(1, 6).map(() => 'queued'));
});

test('a row without a task in it is set aside, can be tried again, and dropped', async () => {
  user.exec(`INSERT INTO relay (task_id, at, task) VALUES ('${sampleId(1)}', ${now}, '{"id":')`);
  await commit([newTask(sampleId(2))]);
  await relay.push();
  const problem = 'there is no task in its row';
  expect(await relay.setAside(10)).toEqual([{ taskId: sampleId(1), name: null, at: now, problem }]);
  expect(await statesOf([sampleId(2)])).toEqual(['queued']);
  expect(await relay.retry(ids(1, 2))).toEqual([{ outcome: 'refused', problem }, { outcome: 'unknown' }]);
  expect([await relay.drop(ids(1, 2)), rowsLeft()]).toEqual([[true, false], { rows: 0 }]);
});

test('a task that was set aside is dispatched when it is tried again and nothing is in its way', async () => {
  await broker.enqueue([newTask(sampleId(50), { key: 'held' })]);
  await commit([newTask(sampleId(1), { key: 'held', ifExists: 'error' })]);
  await relay.push();
  now += 5_000;
  expect(await relay.status()).toEqual({ waiting: 0, setAside: 1, lagMs: 0 });
  await broker.cancel({ taskIds: [sampleId(50)], reason: null });
  expect(await relay.retry([sampleId(1)])).toEqual([{ outcome: 'pushed' }]);
  expect([await statesOf([sampleId(1)]), rowsLeft()]).toEqual([['queued'], { rows: 0 }]);
});

test('an id that waits already is known, or taken', async () => {
  await commit([newTask(sampleId(1), { payload: '1' })]);
  expect(await commit([newTask(sampleId(1), { payload: '1' }), newTask(sampleId(2))])).toMatchObject([
    { outcome: 'existing' },
    { outcome: 'created' },
  ]);
  expect(await commit([newTask(sampleId(1), { payload: '2' })])).toEqual([
    { outcome: 'conflict', taskId: sampleId(1), of: sampleId(1) },
  ]);
});

test('a transaction on other data is refused', async () => {
  user.exec("BEGIN; UPDATE meta SET value = 'another' WHERE name = 'incarnation'");
  await expect(transactions.enqueue(user, [newTask(sampleId(1))])).rejects.toMatchObject({ code: 'TX_NOT_JOINABLE' });
});

test('rows do not grow without bound: neither those that wait nor those aside', async () => {
  const row = (seq: number, id: number, problem: string) =>
    user.exec(
      `INSERT INTO relay (seq, task_id, at, task, problem) VALUES (${seq}, '${sampleId(id)}', 0, '', ${problem})`,
    );
  row(1, 1, 'NULL');
  row(limits.relayWaitingMax, 2, 'NULL');
  await commit([newTask(sampleId(3))]);
  await expect(commit([newTask(sampleId(4))])).rejects.toMatchObject({ code: 'RELAY_FULL', retryable: true });
  user.exec('ROLLBACK; DELETE FROM relay');
  for (let n = 1; n < limits.relayAsideMax; n++) row(n, n, "'no'");
  await commit([newTask(sampleId(5_000))]);
  row(limits.relayAsideMax + 9, limits.relayAsideMax, "'no'");
  await expect(commit([newTask(sampleId(5_001))])).rejects.toMatchObject({ code: 'RELAY_FULL' });
});

test('a relay that stood still with what it had read pushes nothing of it', async () => {
  await commit([newTask(sampleId(1))]);
  const sleepy = {
    ...record.driver,
    wallMs: async () => {
      now += limits.relayFreshMs;
      return now;
    },
  };
  await relayOver(sleepy, broker).relay.push();
  expect([await statesOf([sampleId(1)]), rowsLeft()]).toEqual([[null], { rows: 1 }]);
});

test('who announces while a push is under way has his tasks pushed all the same', async () => {
  await commit([newTask(sampleId(1))]);
  const first = relay.push();
  await commit([newTask(sampleId(2))]);
  await Promise.all([transactions.announce(), transactions.announce(), first]);
  expect(await statesOf(ids(1, 2))).toEqual(['queued', 'queued']);
});

test('an announcement is no failure while the broker is away', async () => {
  await commit([newTask(sampleId(1))]);
  const away = { enqueue: () => Promise.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'gone' })) };
  await relayOver(record.driver, away).transactions.announce();
  expect(rowsLeft()).toEqual({ rows: 1 });
});

test('a committed task is there for whoever asks for it by its id', async () => {
  const join = createSqliteJoin({ file, now: () => now });
  const whole = withRelay({ broker, driver: record.driver, join, clock: time }).broker;
  await commit([newTask(sampleId(1))]);
  const [gone, found] = await whole.getTasks([sampleId(9), sampleId(1)]);
  expect([gone, found?.state]).toEqual([null, 'queued']);
  await commit([newTask(sampleId(2))]);
  const dependsOn = [{ taskId: sampleId(2), onFailure: 'fail' }] as const;
  expect(await whole.enqueue([newTask(sampleId(3), { dependsOn })])).toMatchObject([{ state: 'blocked' }]);
  await commit([newTask(sampleId(4))]);
  const results = await whole.cancel({ taskIds: [sampleId(2), sampleId(9), sampleId(4)], reason: null });
  expect(results.map(({ outcome }) => outcome)).toEqual(['cancelled', 'unknown', 'cancelled']);
  const unknown = [{ taskId: sampleId(99), onFailure: 'fail' }] as const;
  await expect(whole.enqueue([newTask(sampleId(5), { dependsOn: unknown })])).rejects.toMatchObject({
    code: 'INVALID_FLOW',
  });
});

test.each([false, true])('killed at any step (after it was done: %s), each task is dispatched once', async (after) => {
  await broker.enqueue([newTask(sampleId(900), { key: 'held', queue: 'elsewhere' })]);
  for (let at = 0; at < 12; at++) {
    const first = 10 * at + 1;
    const refused = newTask(sampleId(first + 3), { key: 'held', ifExists: 'error' });
    await commit([...ids(first, 3).map((id) => newTask(id)), refused]);
    const step = { left: at, after };
    await relayOver(dyingAt(record.driver, step), dyingAt(broker, step))
      .relay.push()
      .catch(() => {});
    // A worker is faster than the next relay: what it has run must not come again.
    const claimed = await broker.claim(claimRequest(sampleToken(at + 1)));
    await broker.settle(claimed.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
    await Promise.all([relay.push(), relay.push()]);
    const rest = await broker.claim(claimRequest(sampleToken(at + 500)));
    const ran = [...claimed, ...rest].map(({ task }) => task.id);
    expect(ran.sort()).toEqual(ids(first, 3));
    await broker.settle(rest.map(({ task, lease }) => settlement(task.id, lease, finish('succeeded'))));
  }
});
