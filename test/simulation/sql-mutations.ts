/** Planted bugs of what the SQL store keeps beside its tasks: a row that stays, a row that is missing. */

import type { Broker } from '../../src/broker/broker.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import type { SqliteDriver } from '../../src/broker/sqlite/driver.ts';
import type { Mutation } from './mutation.ts';
import type { SimStore } from './sim-store.ts';

type Bend = (broker: Broker, driver: SqliteDriver) => Partial<Broker>;

function inTables(name: string, says: string, bend: Bend): Mutation {
  const store = ({ broker, driver }: SimStore): Partial<Broker> => {
    if (driver === null) throw new Error('These bugs are planted in tables.');
    return bend(broker, driver);
  };
  return { name, says, store, on: 'sqlite' };
}

const run = (driver: SqliteDriver, text: string, ...values: readonly (string | number)[]): Promise<unknown> =>
  driver.transaction((tx) => tx.execute(text, ...values));

const slots = statement<[name: string, taskId: string]>('sim_slots', () => 'SELECT name, task_id FROM slots');

export const sqlMutations: readonly Mutation[] = [
  inTables('slot-leaks', 'a task that ended keeps its slot', (broker, driver) => ({
    settle: async (settlements, claimNext) => {
      const before = await driver.read((tx) => tx.query(slots));
      const answer = await broker.settle(settlements, claimNext);
      for (const [name, taskId] of before)
        await run(driver, 'INSERT OR IGNORE INTO slots (name, task_id) VALUES ($1, $2)', name, taskId);
      return answer;
    },
  })),
  inTables('slot-not-taken', 'a claimed task takes no slot', (broker, driver) => ({
    claim: async (request) => {
      const claimed = await broker.claim(request);
      for (const { task } of claimed) await run(driver, 'DELETE FROM slots WHERE task_id = $1', task.id);
      return claimed;
    },
  })),
  inTables('claim-not-kept', 'a claim is kept nowhere but in its tasks', (broker, driver) => ({
    claim: async (request) => {
      const claimed = await broker.claim(request);
      await run(driver, 'DELETE FROM claims WHERE token = $1', request.token);
      return claimed;
    },
  })),
  inTables('deadline-not-kept', 'the deadline of a waiting task is not looked for', (broker, driver) => ({
    enqueue: async (tasks) => {
      const results = await broker.enqueue(tasks);
      await run(driver, 'UPDATE tasks SET check_at = NULL');
      return results;
    },
  })),
  inTables('count-not-kept', 'what a cancellation does to the counts is lost', (broker, driver) => ({
    cancel: async (request) => {
      const results = await broker.cancel(request);
      if (results.some(({ outcome }) => outcome === 'cancelled'))
        await run(driver, 'DELETE FROM deltas WHERE seq = (SELECT max(seq) FROM deltas)');
      return results;
    },
  })),
  inTables('key-row-stays', 'the row of a key outlives its task', (broker, driver) => ({
    cancel: async (request) => {
      const answer = await broker.cancel(request);
      await run(
        driver,
        "INSERT OR IGNORE INTO keys (key, task_id) SELECT key, id FROM tasks WHERE state = 'cancelled' AND key IS NOT NULL",
      );
      return answer;
    },
  })),
];
