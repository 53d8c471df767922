/** Calls in a transaction of the user's: on their connection, with their rows, gone when theirs are. */

import { taskFlowError } from '../../core/errors.ts';
import type { Signal, Transactions } from '../broker.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';
import { enqueue } from './enqueue.ts';
import { readIncarnation } from './migrate.ts';
import { settle } from './settle.ts';
import { type Change, createStep, endStep } from './step.ts';

/**
 * Runs `work` in the open transaction that is on the connection `tx`. What `work` has stored when it rejects is taken back,
 * and the transaction goes on. Rejects with TX_NOT_JOINABLE.
 */
export type Join = <Answer>(tx: unknown, work: (tx: SqlTransaction) => Promise<Answer>) => Promise<Answer>;

export interface JoinOptions {
  readonly join: Join;
  readonly driver: SqlDriver;
  /** Refuses what comes before the broker is open and after it was closed. */
  readonly guarded: <Answer>(call: () => Promise<Answer>) => Promise<Answer>;
  readonly readNow: (tx: SqlTransaction) => Promise<number>;
  readonly tell: (signals: readonly Signal[]) => void;
}

const dataOf = statement<[incarnation: string]>(
  'data_of_transaction',
  () => "SELECT value FROM meta WHERE name = 'incarnation'",
);

export function createTransactions({ join, driver, guarded, readNow, tell }: JoinOptions): Transactions {
  let incarnation: string | null = null;

  /**
   * Nobody is told: only the owner knows whether it is committed. And nothing is remembered for later calls, which a rollback
   * would belie.
   */
  const within =
    (handle: unknown): Change =>
    (call) =>
      guarded(async () => {
        incarnation ??= await driver.read(readIncarnation);
        return await join(handle, async (tx) => {
          const [found] = await tx.query(dataOf);
          if (found?.[0] !== incarnation) throw notJoinable('its connection leads to other data than the store');
          const step = createStep(tx, await readNow(tx));
          const answer = await call(step);
          await endStep(step);
          return answer;
        });
      });

  return {
    enqueue: (tx, tasks) => within(tx)((step) => enqueue(step, tasks)),
    settle: async (tx, settlements) => (await within(tx)((step) => settle(step, settlements))).results,
    announce: () => guarded(async () => tell([{ kind: 'work', queues: null }])),
  };
}

/** TX_NOT_JOINABLE: nothing was done, and the transaction is as it was. */
export function notJoinable(problem: string): Error {
  return taskFlowError('TX_NOT_JOINABLE', { problem });
}
