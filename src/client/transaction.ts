/** Enqueues in a transaction of the user's: the tasks are there when, and if, they commit. */

import type { Broker, BrokerInfo, EnqueueResult, Transactions } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { batchesOf, type Many } from './enqueue-many.ts';

type Joining = Pick<Broker, 'info' | 'transactions'>;

const inMemory = 'the store is in the memory of this process, and no connection of yours leads there';

/** Why a kind of store may have no part in transactions. */
const reasons: Readonly<Record<BrokerInfo['kind'], string>> = {
  memory: inMemory,
  sqlite: inMemory,
  http: 'this worker reaches the store through a server, and no connection of yours leads there',
  postgres: 'this store takes no part in transactions',
  redis: 'the broker is Redis, and this process has no record (store) with whose database a transaction could be',
};

/** What the store can do in transactions of its users. Rejects with TX_NOT_JOINABLE. */
export async function transactionsOf(broker: Joining): Promise<Transactions> {
  if (broker.transactions !== undefined) return broker.transactions;
  const { kind } = await broker.info();
  const hint = kind === 'redis' ? 'Name it: store, or TASKFLOW_STORE. Or enqueue' : 'Enqueue';
  throw taskFlowError('TX_NOT_JOINABLE', { problem: reasons[kind] }, { hint: `${hint} after the commit, without tx.` });
}

/** Sends all in the one transaction. What is stored when a later batch is refused is there if it is committed all the same. */
export async function sendWithin(broker: Joining, tx: unknown, many: Many): Promise<readonly EnqueueResult[]> {
  const transactions = await transactionsOf(broker);
  const results: EnqueueResult[] = [];
  for (const batch of batchesOf(many)) results.push(...(await transactions.enqueue(tx, batch)));
  return results;
}
