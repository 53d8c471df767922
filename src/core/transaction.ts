/** What a user's own transaction looks like to TaskFlow. */

/**
 * A connection of yours with a transaction open on it, to the database that the store is in. For the embedded store it is a
 * `DatabaseSync` of `node:sqlite`.
 */
export interface Transaction {
  readonly isTransaction: boolean;
  prepare(sql: string): unknown;
  exec(sql: string): void;
}
