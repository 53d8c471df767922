/** A row and its task in one commit, with Kysely. */

import { CompiledQuery, type Kysely, type Transaction } from 'kysely';
import type { PostgresTransaction } from 'taskflowjs';
import { welcome } from './welcome.ts';

export interface Database {
  users: { email: string };
}

export async function signUp(db: Kysely<Database>, email: string): Promise<string> {
  const mail = await db.transaction().execute(async (trx) => {
    await trx.insertInto('users').values({ email }).execute();
    return welcome.enqueue({ email }, { tx: transactionOf(trx) });
  });
  await mail.afterCommit();
  return mail.id;
}

/** Kysely's transaction as TaskFlow takes it. */
export function transactionOf<Tables>(trx: Transaction<Tables>): PostgresTransaction {
  return { query: (text, values) => trx.executeQuery(CompiledQuery.raw(text, values) as CompiledQuery<object>) };
}
