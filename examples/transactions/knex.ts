/** A row and its task in one commit, with Knex. */

import type { Knex } from 'knex';
import type { PostgresTransaction } from 'taskflowjs';
import { welcome } from './welcome.ts';

export async function signUp(knex: Knex, email: string): Promise<string> {
  const mail = await knex.transaction(async (trx) => {
    await trx('users').insert({ email });
    return welcome.enqueue({ email }, { tx: await transactionOf(trx) });
  });
  await mail.afterCommit();
  return mail.id;
}

/** The connection of Knex's transaction, a client of `pg`: within a transaction there is one alone. */
export async function transactionOf(trx: Knex.Transaction): Promise<PostgresTransaction> {
  return (await trx.client.acquireConnection()) as PostgresTransaction;
}
