/** A row and its task in one commit, with Prisma on Postgres. */

import type { PostgresTransaction } from 'taskflowjs';
import { welcome } from './welcome.ts';

/** What is asked of a generated client: yours has it, with your own models. */
export interface PrismaClient {
  $transaction<Answer>(work: (tx: PrismaTransaction) => Promise<Answer>): Promise<Answer>;
}

export interface PrismaTransaction {
  readonly user: { create(query: { readonly data: { readonly email: string } }): PromiseLike<unknown> };
  $queryRawUnsafe<Rows>(query: string, ...values: unknown[]): PromiseLike<Rows>;
}

export async function signUp(prisma: PrismaClient, email: string): Promise<string> {
  const mail = await prisma.$transaction(async (tx) => {
    await tx.user.create({ data: { email } });
    return welcome.enqueue({ email }, { tx: transactionOf(tx) });
  });
  await mail.afterCommit();
  return mail.id;
}

/** Prisma's interactive transaction as TaskFlow takes it. */
export function transactionOf(tx: Pick<PrismaTransaction, '$queryRawUnsafe'>): PostgresTransaction {
  return { query: async (text, values) => ({ rows: await tx.$queryRawUnsafe<object[]>(text, ...values) }) };
}
