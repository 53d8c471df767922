/** A recount finds nothing in a store that only its own calls have changed, and everything that something else did. */

import { beforeEach, expect, test } from 'vitest';
import { newTask } from '../../../test/support/worker-rig.ts';
import { seededChance } from '../../core/chance.ts';
import { queueLimitName } from '../../core/limit-rules.ts';
import type { NewTask } from '../../core/task.ts';
import { systemClock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import type { SqliteDriver } from '../sqlite/driver.ts';
import { createSqliteBroker } from '../sqlite/store.ts';
import { recount } from './recount.ts';

let broker: Broker & { readonly driver: SqliteDriver };
beforeEach(async () => {
  broker = createSqliteBroker({ file: ':memory:', clock: systemClock, chance: seededChance(5) });
  await broker.open();
  await broker.enqueue(tasks);
  await broker.claim({
    workerId: 'w',
    token: 't1',
    queues: [{ name: 'default', limit: 3 }],
    limit: 3,
    leaseMs: 60_000,
  });
  await broker.cancel({ taskIds: ['T5'], reason: null });
});

const tasks: readonly NewTask[] = [1, 2, 3, 4, 5, 6].map((n) =>
  newTask({
    id: `T${n}`,
    priority: n,
    key: n === 6 ? null : `k${n}`,
    limits: n % 2 === 1 ? [{ name: 'odd', max: 9, rate: null }] : [],
    expiresInMs: n === 6 ? 60_000 : null,
    delayMs: n === 6 ? 1_000 : 0,
  }),
);

test('a store that was used in every way agrees with itself', async () => {
  const { broken, discrepancies, looked } = await recount(broker.driver);
  expect(discrepancies).toEqual([]);
  expect(broken).toBe(0);
  expect(looked).toMatchObject({ tasks: 6, claims: 1, slots: 2, keys: 4 });
});

test('a child whose parent has just failed is looked at before its deadline, and that agrees', async () => {
  await broker.enqueue([
    newTask({ id: 'A', queue: 'family' }),
    newTask({
      id: 'B',
      queue: 'family',
      startWithinMs: 60_000,
      dependsOn: [{ taskId: 'A', onFailure: 'fail' }],
    }),
  ]);
  expect((await recount(broker.driver)).discrepancies).toEqual([]);
  await broker.cancel({ taskIds: ['A'], reason: null });
  expect((await recount(broker.driver)).discrepancies).toEqual([]);
  await broker.driver.transaction((tx) => tx.execute("UPDATE tasks SET check_at = NULL WHERE id = 'B'"));
  expect((await recount(broker.driver)).discrepancies).toMatchObject([{ what: 'task', of: 'B' }]);
});

test('the slots of a queue with a limit are those of its tasks that run', async () => {
  await broker.configure('queue', 'default', { max: 5 });
  expect(await recount(broker.driver)).toMatchObject({ broken: 0, looked: { slots: 5 } });
  await broker.driver.transaction((tx) => tx.execute("DELETE FROM slots WHERE task_id = 'T2'"));
  expect((await recount(broker.driver)).discrepancies).toMatchObject([{ what: 'slot', of: queueLimitName('default') }]);
  await broker.configure('queue', 'default', { max: null });
  expect((await recount(broker.driver)).discrepancies).toEqual([]);
  const slot = `INSERT INTO slots (name, task_id) VALUES ('${queueLimitName('default')}', 'T1')`;
  await broker.driver.transaction((tx) => tx.execute(slot));
  expect((await recount(broker.driver)).discrepancies).toMatchObject([{ what: 'slot' }]);
});

test('more rows than one page are all looked at', async () => {
  for (let batch = 0; batch < 3; batch++)
    await broker.enqueue(
      Array.from({ length: 1_000 }, (_, n) => newTask({ id: `P${batch}-${n}`, key: `p${batch}-${n}` })),
    );
  expect(await recount(broker.driver)).toMatchObject({ broken: 0, looked: { tasks: 3_006, keys: 3_004 } });
});

test.for<readonly [sentence: string, what: string, sql: string]>([
  ['a claim that counts too many', 'claim', 'UPDATE claims SET running = 4'],
  ['a claim of another worker', 'claim', "UPDATE claims SET worker_id = 'x'"],
  ['a claim that is gone', 'task', 'DELETE FROM claims'],
  ['a claim that forgot a task', 'task', `UPDATE claims SET running = 2, task_ids = '["T1","T2"]'`],
  ['a slot that leaked', 'slot', "INSERT INTO slots (name, task_id) VALUES ('odd', 'T4')"],
  ['a slot of a limit that its task does not carry', 'slot', "INSERT INTO slots (name, task_id) VALUES ('odd', 'T2')"],
  ['a slot that is missing', 'slot', "DELETE FROM slots WHERE task_id = 'T3'"],
  ['a key that was not freed', 'key', "INSERT INTO keys (key, task_id) VALUES ('k5', 'T5')"],
  ['a key that is missing', 'key', "DELETE FROM keys WHERE key = 'k4'"],
  ['a key in the wrong hands', 'key', "UPDATE keys SET task_id = 'T4' WHERE key = 'k1'"],
  ['a key kept for what did not succeed', 'key', "UPDATE keys SET held_until = 9 WHERE key = 'k1'"],
  ['two unfinished tasks with one key', 'key', "UPDATE tasks SET key = 'k1' WHERE id = 'T2'"],
  ['a count that is wrong', 'count', `INSERT INTO deltas (at, counts) VALUES (1, '[["default","a","queued",1]]')`],
  ['a count that is missing', 'count', 'DELETE FROM deltas; DELETE FROM counts'],
  ['a deadline that nobody would look at', 'task', "UPDATE tasks SET check_at = NULL WHERE id = 'T6'"],
  ['more attempts than claims', 'task', "UPDATE tasks SET attempt = 5 WHERE id = 'T1'"],
])('tells %s', async ([, what, sql]) => {
  for (const text of sql.split('; ')) await broker.driver.transaction((tx) => tx.execute(text));
  const { discrepancies } = await recount(broker.driver);
  expect(new Set(discrepancies.map((one) => one.what))).toEqual(new Set([what]));
});
