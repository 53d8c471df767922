/** A transaction that tells of every statement before it runs: for tests and benches that count them and look at their plans. */

import type { Dialect, EachStatement, ManyStatement, SqlTransaction, SqlValue, Statement } from './driver.ts';

/** Told of a statement as it is about to run: its text as it was written, and its values where it has one row of them. */
export type OnStatement = (text: string, values: readonly SqlValue[]) => void;

/** Each method but those that only ask for the time or hold a name, which are no statements where one process has the file. */
export function tellingStatements(tx: SqlTransaction, dialect: Dialect, tell: OnStatement): SqlTransaction {
  const text = (statement: Statement | EachStatement): string => statement.text(dialect);
  const many = (statement: ManyStatement, rows: number): string => statement.text(dialect, rows);
  return {
    ...tx,
    query: (statement, ...values) => {
      tell(text(statement), values);
      return tx.query(statement, ...values);
    },
    change: (statement, ...values) => {
      tell(text(statement), values);
      return tx.change(statement, ...values);
    },
    each: (statement, rows) => {
      tell(text(statement), []);
      return tx.each(statement, rows);
    },
    many: (statement, shared, rows) => {
      tell(many(statement, rows.length), []);
      return tx.many(statement, shared, rows);
    },
    send: (statement, ...values) => {
      tell(text(statement), values);
      tx.send(statement, ...values);
    },
    sendEach: (statement, rows) => {
      tell(text(statement), []);
      tx.sendEach(statement, rows);
    },
    filter: (written, ...values) => {
      tell(written, values);
      return tx.filter(written, ...values);
    },
    execute: (written, ...values) => {
      tell(written, values);
      return tx.execute(written, ...values);
    },
  };
}
