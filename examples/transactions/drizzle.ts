/** A row and its task in one commit, with Drizzle over node-postgres. */

import { type SQL, sql } from 'drizzle-orm';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import type { PostgresTransaction } from 'taskflowjs';
import { welcome } from './welcome.ts';

export const users = pgTable('users', { email: text('email').primaryKey() });

export async function signUp(db: NodePgDatabase, email: string): Promise<string> {
  const mail = await db.transaction(async (tx) => {
    await tx.insert(users).values({ email });
    return welcome.enqueue({ email }, { tx: transactionOf(tx) });
  });
  await mail.afterCommit();
  return mail.id;
}

/** Drizzle's transaction as TaskFlow takes it. It numbers parameters itself: $1 is written as the value it stands for. */
export function transactionOf(tx: Pick<NodePgDatabase, 'execute'>): PostgresTransaction {
  const bound = (query: string, values: readonly unknown[]): SQL =>
    sql.join(
      query.split(/\$(\d+)/).map((part, index) => (index % 2 === 0 ? sql.raw(part) : sql`${values[Number(part) - 1]}`)),
    );
  return { query: (query, values) => tx.execute<Record<string, unknown>>(bound(query, values)) };
}
