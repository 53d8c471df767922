/** What a user's own transaction looks like to TaskFlow. */

/**
 * A connection of yours with a transaction open on it, to the database that the store is in: a `DatabaseSync` of `node:sqlite` for
 * the embedded store; for Postgres a client of `pg`, or anything else with such a `query`.
 */
export type Transaction = SqliteTransaction | PostgresTransaction;

/** As a client of `pg` has it: values for $1, $2, … and rows with a field for each column. */
export interface PostgresTransaction {
  query(text: string, values: unknown[]): PromiseLike<{ readonly rows: readonly object[] }>;
}

/** As a `DatabaseSync` has it. */
export interface SqliteTransaction {
  readonly isTransaction: boolean;
  prepare(sql: string): unknown;
  exec(sql: string): void;
}
