/** The seam between the SQL of TaskFlow and a database: a query, a transaction and a few fragments of dialect. */

import type { Durability } from '../durability.ts';

/** What a parameter and a column may hold. Times and counts are integers, documents are JSON text. */
export type SqlValue = string | number | null;

/** One row, columns in the order the statement names them: arrays are built a third faster than objects. */
export type SqlRow = readonly SqlValue[];

/** A scalar in a JSON text as expressions, of which one speaks and the others are NULL; all are for objects, lists and nothing. */
export interface JsonScalar {
  readonly string: string;
  /** `true`, `false` or `null`, as a text. */
  readonly literal: string;
  readonly number: string;
  /** The number as it was written. */
  readonly numberText: string;
}

/** Reading inside of JSON texts. One that is none, because somebody wrote it by hand, has nothing inside: it ends no statement. */
export interface JsonDialect {
  /** Whether a condition holds for the scalar at a path: names of fields and positions in lists, as they are written. */
  scalar(
    json: string,
    path: readonly string[],
    parameter: (value: string) => string,
    condition: (scalar: JsonScalar) => string,
  ): string;
  /** Whether a condition holds for one of the strings in the list that is the field of an object. */
  some(json: string, field: string, condition: (value: string) => string): string;
  /** Whether one of the strings in that list is one of those in a parameter, which is a JSON list. */
  hasAny(json: string, field: string, parameter: string): string;
  /** Behind a join: the strings of the list in a column of the table before it, or in a field of the object there, as `item.value`. */
  items(column: string, field?: string): string;
}

/** What the dialects say differently. Everything else in the statements is valid in all of them. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres';
  /** Behind an expression: it is one of the values of the JSON list in a parameter. */
  oneOf(parameter: string, of?: 'text' | 'row'): string;
  /**
   * Behind the column of a key: it is what another source says in each of its rows, and the row is looked up for each of them. Who guesses how
   * many rows there are must not go through the table instead, and compare all of it with every value: such a plan is kept while it fills.
   */
  keyed(value: string): string;
  /** The same of a key of two columns, as a condition. */
  keyedPair(columns: readonly [string, string], values: readonly [string, string]): string;
  /** Behind the column of a key: it is one of those that a query finds first. Each is looked up, as with `keyed`. */
  oneFrom(query: string): string;
  /**
   * The least value of a column, or none, as a query that looks into its index once; `source` is what stands behind FROM. Of a minimum
   * Postgres may go through all of them.
   */
  least(column: string, source: string): string;
  /** The same of the greatest. */
  greatest(column: string, source: string): string;
  /** The column of `tasks` with the address of a row. */
  readonly row: string;
  /** Behind a SELECT, with its order, of rows that the transaction will change: nobody else changes them before it ends. */
  readonly lock: string;
  /** The same for a SELECT whose order does not matter: always in the same one, so that two transactions do not wait for each other. */
  lockInOrderOf(column: string): string;
  /** Behind a SELECT of rows that an UPDATE will take: rows another transaction has locked are left to it. */
  readonly skipLocked: string;
  /** Rows of values for one statement: see {@link eachStatement}. */
  each(columns: Columns): {
    readonly values: Readonly<Record<string, string>>;
    readonly from: string;
  };
  /** The same for statements whose rows have some values in common: see {@link manyStatement}. */
  many(
    shared: Columns,
    own: Columns,
    rows: number,
  ): {
    readonly values: Readonly<Record<string, string>>;
    readonly from: string;
  };
  /**
   * Behind INSERT and UPDATE: a broken rule ends the transaction, not only the statement. It ends it anyway, since nobody
   * catches it; but where SQLite must be able to undo a statement of many rows alone, it copies every page before it
   * changes it: a third of the cost of a claim.
   */
  readonly orRollback: string;
  /** The clock of the database, milliseconds since the epoch, given what `ownMs` answers. */
  clock(ownMs: string): string;
  /** Which tasks the index of names leads to. Postgres writes every index anew with every change of a row: there the name waits for the last one. */
  readonly named: 'all' | 'finished';
  /**
   * Behind a source of ids in FROM, up to what else is asked (`AND …`): the task of each, looked up one by one. Who guesses how many
   * ids there are must not read all tasks for them.
   */
  taskOf(id: string): string;
  /** Behind a source in FROM: the tasks that `behind` finds for each of its rows, with a bound of its own; as `task`. */
  tasksOf(behind: string): string;
  readonly json: JsonDialect;
}

/** The columns of a statement's values; `row` is the address of a row. */
export type Columns = Readonly<Record<string, 'text' | 'bigint' | 'row'>>;

/** Where a row of `tasks` is: its number in SQLite, its id in Postgres, which would pay for a second index with every write. */
export type RowAddress = number | string;

/** A static text, prepared once per connection. `Row` is the shape of its rows and exists for the compiler only. */
export interface Statement<Row extends SqlRow = SqlRow> {
  readonly name: string;
  readonly text: (dialect: Dialect) => string;
  readonly row?: Row;
}

/** A statement that is run for many rows of values. */
export interface EachStatement {
  readonly name: string;
  readonly columns: Columns;
  /** Of an INSERT that is asked which rows it stored: the values that tell a row from another, each with its column in the table. */
  readonly told: Readonly<Record<string, string>> | null;
  readonly text: (dialect: Dialect) => string;
}

/** Names a statement. Parameters are written `$1`, `$2`, … */
export function statement<Row extends SqlRow = SqlRow>(
  name: string,
  text: (dialect: Dialect) => string,
): Statement<Row> {
  return { name, text };
}

/**
 * Names a statement over many rows of values. `build` gets an expression for each column and the FROM clause they come
 * from. SQLite runs it once a row, which is twice as fast as reading the rows out of one JSON list; a database behind a
 * network runs it once for all.
 */
export function eachStatement<Own extends Columns>(
  name: string,
  columns: Own,
  build: (values: Values<Own>, from: string, dialect: Dialect) => string,
  told: { readonly [Column in keyof Own]?: string } | null = null,
): EachStatement {
  const text = (dialect: Dialect): string => {
    const { values, from } = dialect.each(columns);
    return build(values as Values<Own>, from, dialect);
  };
  return { name, columns, told: told as EachStatement['told'], text };
}

/** A statement that stores many rows at once which have some of their values in common. */
export interface ManyStatement {
  readonly name: string;
  readonly shared: Columns;
  readonly own: Columns;
  /** The column that tells which rows were stored, where a database can tell it without asking again. */
  readonly told: string | null;
  /** For so many rows, where the text depends on it. */
  readonly text: (dialect: Dialect, rows: number) => string;
}

/**
 * Names a statement that stores many rows. Beginning a statement, opening a cursor on each index and binding what is the same
 * in every row cost SQLite more than storing a small row: with 25 of them at once an insert took 2.0 µs instead of 4.9.
 */
export function manyStatement<Shared extends Columns, Own extends Columns>(
  name: string,
  shared: Shared,
  own: Own,
  build: (values: Values<Shared & Own>, from: string, dialect: Dialect) => string,
  told: string | null = null,
): ManyStatement {
  const text = (dialect: Dialect, rows: number): string => {
    const { values, from } = dialect.many(shared, own, rows);
    return build(values as Values<Shared & Own>, from, dialect);
  };
  return { name, shared, own, told, text };
}

type Values<Of extends Columns> = { readonly [Column in keyof Of]: string };

/** A transaction under way. Its methods must not be called after its work has ended. */
export interface SqlTransaction {
  query<Row extends SqlRow>(statement: Statement<Row>, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Runs a statement that changes rows; answers how many it changed. */
  change(statement: Statement, ...values: readonly SqlValue[]): Promise<number>;
  /**
   * Runs the statement for each row of values; answers for each whether it changed a row of the table, for an INSERT only where
   * it has `told`. No two rows of values may change one row of the table.
   */
  each(statement: EachStatement, rows: readonly SqlRow[]): Promise<readonly boolean[]>;
  /**
   * Runs the statement for all rows, in order, which have the shared values; answers how many rows of the table it changed, and
   * what its column tells of them, or `null` where that is not known.
   */
  many(
    statement: ManyStatement,
    shared: SqlRow,
    rows: readonly SqlRow[],
  ): Promise<{ readonly count: number; readonly told: readonly SqlValue[] | null }>;
  /**
   * Runs a statement whose answer nobody needs: over a network it is on its way when this returns, and what follows does not wait for
   * it. One that fails ends the transaction, at the latest when that is to be stored.
   */
  send(statement: Statement, ...values: readonly SqlValue[]): void;
  /** The same for many rows: see `each`. */
  sendEach(statement: EachStatement, rows: readonly SqlRow[]): void;
  /** Runs a text that is made on the spot: what people filter by, nothing hot. */
  filter<Row extends SqlRow>(text: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The same for what may go through a whole table, and is waited for longer: migrations and moves. */
  execute<Row extends SqlRow>(text: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The clock of the database, milliseconds since the epoch. */
  wallMs(): Promise<number>;
  /** The same where this process knows it by itself; else `null`, and a statement asks for it: see {@link Dialect.clock}. */
  ownMs(): number | null;
  /** Runs a SELECT with a lock for its lock alone: what it protects is read by the next statement. */
  lock(statement: Statement, ...values: readonly SqlValue[]): Promise<void>;
  /**
   * Holds names that need no row until the transaction ends: alone, or together with others who share them. For what a lock
   * on rows cannot keep out: the row that is not there yet. Where one writes at a time that is so anyway: answers whether
   * somebody may have been waited for, so that what was read before is old.
   */
  hold(scope: LockScope, names: readonly string[], how: 'alone' | 'shared'): Promise<boolean>;
  /** The same without waiting: whether it is held alone now. */
  tryHold(scope: LockScope): Promise<boolean>;
  /** To be called before an event is stored, after all that it tells: until the transaction ends no reader goes beyond its number. */
  holdEvents(): void;
}

/** What names are held in; this is also the order in which a transaction asks for them. */
export type LockScope = 'flows' | 'keys' | 'schedules' | 'settings' | 'tokens' | 'queues' | 'folding' | 'migrations';

/** Connections to one database. Errors are TaskFlowError STORE_*. */
export interface SqlDriver {
  readonly dialect: Dialect;
  /** Runs `work` in one transaction that may write: all of it is stored durably, or nothing. */
  transaction<Answer>(work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer>;
  /** Runs `work` on one consistent snapshot that may not write. */
  read<Answer>(work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer>;
  /** Runs a statement that changes nothing as a snapshot of its own: without a BEGIN and a COMMIT around it. */
  readOne<Row extends SqlRow>(statement: Statement<Row>, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Runs one statement that may write as a transaction of its own. */
  writeOne<Row extends SqlRow>(statement: Statement<Row>, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The clock of the database, milliseconds since the epoch. */
  wallMs(): Promise<number>;
  /** As in a transaction. */
  ownMs(): number | null;
  /** Makes every other process that migrates wait until this transaction ends. */
  lockMigrations(tx: SqlTransaction): Promise<void>;
  hasTable(tx: SqlTransaction, name: string): Promise<boolean>;
  /** Whether the database refused a statement for the values in it: sent again, it would be refused again. */
  isRefusal(error: unknown): boolean;
  /** What it keeps, read from it when it was opened. */
  durability(): Durability;
  /** Whoever may still store an event would store it behind this number: a reader may go so far. `null` is as far as there are. */
  finalEvent(): Promise<number | null>;
}
