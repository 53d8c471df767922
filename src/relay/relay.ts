/**
 * The relay: with a broker that is in no database, a task of a user's transaction is a row of theirs, and is pushed to the broker
 * after the commit. The row goes only when the broker has answered, so whoever is killed in between leaves it to the next;
 * and the id makes any number of pushes one task.
 */

import type { Broker, EnqueueResult, Transactions } from '../broker/broker.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import { type Join, notJoinable } from '../broker/sql/join.ts';
import { isRefusal, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Relay, RelayRetry } from '../core/relay.ts';
import type { NewTask } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import {
  dropAside,
  forgetRows,
  listAside,
  putAside,
  readAside,
  readPage,
  readStatus,
  readTask,
  recordedOf,
  roomLeft,
  storeRows,
  type WaitingRow,
} from './rows.ts';

export interface RelayOptions {
  /** The open database of the record, which users have their transactions with. */
  readonly driver: SqlDriver;
  readonly join: Join;
  readonly broker: Pick<Broker, 'enqueue'>;
  readonly clock: Pick<Clock, 'elapsed'>;
}

/** For the broker: `enqueue` stores a row, `announce` pushes at once. A run cannot end in a transaction of another store. */
export interface CreatedRelay {
  readonly relay: Relay;
  readonly transactions: Transactions;
}

export function createRelay({ driver, join, broker, clock }: RelayOptions): CreatedRelay {
  /** Pushes the rows; answers for each what became of it, or nothing for those that are left as they are. */
  async function pushRows(rows: readonly WaitingRow[]): Promise<ReadonlyMap<string, string | null>> {
    const readAt = clock.elapsed();
    const isFresh = (): boolean => clock.elapsed() - readAt < limits.relayFreshMs;
    const [now, recorded] = [
      await driver.wallMs(),
      await recordedOf(
        driver,
        rows.map(({ taskId }) => taskId),
      ),
    ];
    const problems = new Map<string, string | null>([...recorded].map((taskId) => [taskId, null]));
    const tasks: NewTask[] = [];
    for (const row of rows) {
      if (recorded.has(row.taskId)) continue;
      const task = readTask(row);
      if (task === null) problems.set(row.taskId, 'there is no task in its row');
      else tasks.push(aged(task, now - row.at));
    }
    await send(tasks, isFresh, problems);
    for (const [taskId, problem] of problems) if (problem !== null) await putAside(driver, taskId, problem);
    await forgetRows(
      driver,
      [...problems].filter(([, problem]) => problem === null).map(([taskId]) => taskId),
    );
    return problems;
  }

  /** In order, so that a parent is there before its child, and the last of a key stays. */
  async function send(tasks: readonly NewTask[], isFresh: () => boolean, problems: Map<string, string | null>) {
    const [first] = tasks;
    if (first === undefined || !isFresh()) return;
    try {
      const results = await broker.enqueue(tasks);
      for (const [index, task] of tasks.entries()) problems.set(task.id, problemOf(task, results[index]));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (tasks.length === 1) {
        problems.set(first.id, error instanceof Error ? error.message : String(error));
        return;
      }
      // Nothing of it was stored: the one that is refused must not hold up the others.
      const half = Math.ceil(tasks.length / 2);
      await send(tasks.slice(0, half), isFresh, problems);
      await send(tasks.slice(half), isFresh, problems);
    }
  }

  const push = oneAtATime(async () => {
    const { rows, isCut } = await readPage(driver);
    if (rows.length > 0) await pushRows(rows);
    return isCut ? 'full' : 'done';
  });

  const relay: Relay = {
    push,
    status: () => readStatus(driver),
    setAside: (limit) => listAside(driver, limit),
    retry: async (taskIds) => {
      const rows = await readAside(driver, taskIds);
      const problems = rows.length === 0 ? new Map<string, string | null>() : await pushRows(rows);
      return taskIds.map((taskId): RelayRetry => {
        const problem = problems.get(taskId);
        if (problem === undefined) return { outcome: 'unknown' };
        return problem === null ? { outcome: 'pushed' } : { outcome: 'refused', problem };
      });
    },
    drop: (taskIds) => dropAside(driver, taskIds),
  };
  return { relay, transactions: createTransactions(driver, join, push) };
}

function createTransactions(driver: SqlDriver, join: Join, push: Relay['push']): Transactions {
  let incarnation: string | null = null;
  return {
    enqueue: async (tx, tasks) => {
      incarnation ??= (await driver.readOne(roomLeft, 0))[0]?.[0] ?? null;
      const known = incarnation;
      return await join(tx, async (joined) => {
        const [[found, stretch, aside] = [null, null, 0]] = await joined.query(roomLeft, limits.relayAsideMax);
        if (found !== known) throw notJoinable('its connection leads to other data than the store');
        // Counted by their numbers, of which some may be missing: that is a look at two rows, not at all.
        if ((stretch ?? 0) + tasks.length > limits.relayWaitingMax)
          throw taskFlowError('RELAY_FULL', { problem: `${limits.relayWaitingMax} wait until the broker takes them` });
        if (aside >= limits.relayAsideMax)
          throw taskFlowError('RELAY_FULL', { problem: `the broker has refused ${limits.relayAsideMax} of them` });
        return await storeRows(joined, tasks);
      });
    },
    settle: () =>
      Promise.reject(taskFlowError('TX_NOT_JOINABLE', { problem: 'the task is in a broker outside of the database' })),
    announce: async () => {
      try {
        await push();
      } catch (error) {
        // The commit is done, and a store that is away takes nothing from it: whoever runs services pushes the task.
        if (isRefusal(error)) throw error;
      }
    },
  };
}

/** Who asks while a push is under way gets the one behind it, which sees what they have committed. */
function oneAtATime(pushPage: Relay['push']): Relay['push'] {
  let running: ReturnType<Relay['push']> | null = null;
  let next: ReturnType<Relay['push']> | null = null;
  const start = (): ReturnType<Relay['push']> => {
    running = pushPage().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (running === null) return start();
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        return start();
      });
    return next;
  };
}

/** Its times count from when it was enqueued, not from when it was pushed. */
function aged(task: NewTask, ageMs: number): NewTask {
  const age = Math.max(0, ageMs);
  return {
    ...task,
    delayMs: Math.max(0, task.delayMs - age),
    expiresInMs: task.expiresInMs === null ? null : Math.max(1, task.expiresInMs - age),
  };
}

/** A held key is no problem unless the task says so. */
function problemOf(task: NewTask, result: EnqueueResult | undefined): string | null {
  if (result?.outcome !== 'conflict') return null;
  if (result.of === task.id) return taskFlowError('ID_CONFLICT', { id: task.id }).message;
  return taskFlowError('KEY_CONFLICT', { key: task.key ?? '', holder: result.of }).message;
}
