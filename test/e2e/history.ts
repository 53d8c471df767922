/** The whole history of a scenario, gathered from its store and its logs once everything is over. */

import { readCounts } from '../../src/broker/sql/counts.ts';
import { statement } from '../../src/broker/sql/driver.ts';
import { readEvents } from '../../src/broker/sql/events.ts';
import { getTasks, getWorkers } from '../../src/broker/sql/reads.ts';
import { createSqliteDriver, type SqliteDriver } from '../../src/broker/sqlite/driver.ts';
import { systemChance } from '../../src/core/chance.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import type { WorkerRecord } from '../../src/core/presence.ts';
import type { Task } from '../../src/core/task.ts';
import { systemClock } from '../../src/core/time.ts';
import type { RunHistory } from '../checker/run-history.ts';
import { readClientLog, readEffects, readProcesses } from './logs.ts';
import { type Scenario, until } from './processes.ts';

/** A look at a store from outside, beside the processes that use it. */
export interface Look {
  /** Every event from the first on. */
  events(): Promise<readonly BatchEvent[]>;
  task(taskId: string): Promise<Task>;
  /** The token of a running task's lease. */
  token(taskId: string): Promise<string | null>;
  workers(): Promise<readonly WorkerRecord[]>;
  /** How many tasks are not final. */
  open(): Promise<number>;
  total(): Promise<number>;
  /** How many running tasks are known to have begun. */
  begun(): Promise<number>;
  /** Waits until there are `total` tasks and all are final. */
  drained(total: number, withinMs?: number): Promise<void>;
  history(): Promise<RunHistory>;
  close(): void;
}

const unfinished = statement<[tasks: number]>(
  'unfinished',
  () => 'SELECT count(*) FROM tasks WHERE finished_at IS NULL',
);
const begun = statement<[tasks: number]>(
  'begun',
  () => "SELECT count(*) FROM tasks WHERE state = 'running' AND started_at IS NOT NULL",
);
const all = statement<[tasks: number]>('all_tasks', () => 'SELECT count(*) FROM tasks');
const allIds = statement<[id: string]>('all_ids', () => 'SELECT id FROM tasks ORDER BY id');
const held = statement<[tasks: number]>('held', () => 'SELECT COALESCE(sum(running), 0) FROM claims');
const tokenOf = statement<[token: string | null]>('token_of', () => 'SELECT token FROM tasks WHERE id = $1');

const pageOf = 1_000;

/** Opens the store's file; some process must have made it. */
export async function lookAt(scenario: Pick<Scenario, 'folder' | 'file'>): Promise<Look> {
  const { file, folder } = scenario;
  const driver = createSqliteDriver({ file, now: systemClock.now, clock: systemClock, chance: systemChance });
  await driver.open();
  const count = async (of: typeof all): Promise<number> => (await driver.read((tx) => tx.query(of)))[0]?.[0] ?? 0;
  const look: Look = {
    events: () => readAllEvents(driver),
    async task(taskId) {
      const [task] = await driver.read((tx) => getTasks(tx, [taskId]));
      if (task === null || task === undefined) throw new Error(`There is no task ${taskId}.`);
      return task;
    },
    token: async (taskId) => (await driver.read((tx) => tx.query(tokenOf, taskId)))[0]?.[0] ?? null,
    workers: () => driver.read((tx) => getWorkers(tx.query)),
    open: () => count(unfinished),
    total: () => count(all),
    begun: () => count(begun),
    async drained(total, withinMs = 30_000) {
      let last = '';
      const isDrained = async (): Promise<boolean> => {
        const [now, open] = [await look.total(), await look.open()];
        last = `${now} tasks, ${open} of them not final`;
        return now >= total && open === 0;
      };
      await until(`${total} tasks are final`, isDrained, { withinMs, facts: () => last });
    },
    async history() {
      return {
        events: await readAllEvents(driver),
        tasks: await readAllTasks(driver),
        counts: await driver.read(readCounts),
        held: await count(held),
        client: readClientLog(folder),
        effects: readEffects(folder),
        processes: readProcesses(folder),
      };
    },
    close: () => driver.close(),
  };
  return look;
}

async function readAllEvents(driver: SqliteDriver): Promise<readonly BatchEvent[]> {
  const events: BatchEvent[] = [];
  for (;;) {
    const page = await driver.read((tx) => readEvents(tx, events.at(-1)?.seq ?? 0, pageOf));
    events.push(...page);
    if (page.length < pageOf) return events;
  }
}

async function readAllTasks(driver: SqliteDriver): Promise<readonly Task[]> {
  const ids = (await driver.read((tx) => tx.query(allIds))).map(([id]) => id);
  const tasks: (Task | null)[] = [];
  for (let from = 0; from < ids.length; from += pageOf) {
    tasks.push(...(await driver.read((tx) => getTasks(tx, ids.slice(from, from + pageOf)))));
  }
  return tasks.filter((task) => task !== null);
}
