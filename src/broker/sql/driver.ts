/** The seam between the SQL of TaskFlow and a database: a query, a transaction and a few fragments of dialect. */

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

/** Reading inside of JSON texts. */
export interface JsonDialect {
  /** The scalar at a path: names of fields and positions in lists, as they are written. */
  scalar(json: string, path: readonly string[], parameter: (value: string) => string): JsonScalar;
  /** Whether a condition holds for one of the strings in the list that is the field of an object. */
  some(json: string, field: string, condition: (value: string) => string): string;
}

/** What the dialects say differently. Everything else in the statements is valid in all of them. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgres';
  /** The values of the JSON list in a parameter, to stand behind `IN`. */
  list(parameter: string, of?: 'text' | 'bigint'): string;
  /** Behind a SELECT of rows that the transaction will change: nobody else changes them before it ends. */
  readonly lock: string;
  /** Behind a SELECT of rows that an UPDATE will take: rows another transaction has locked are left to it. */
  readonly skipLocked: string;
  /** Rows of values for one statement: see {@link eachStatement}. */
  each(columns: Readonly<Record<string, 'text' | 'bigint'>>): {
    readonly values: Readonly<Record<string, string>>;
    readonly from: string;
  };
  readonly json: JsonDialect;
}

/** A static text, prepared once per connection. `Row` is the shape of its rows and exists for the compiler only. */
export interface Statement<Row extends SqlRow = SqlRow> {
  readonly name: string;
  readonly text: (dialect: Dialect) => string;
  readonly row?: Row;
}

/** A statement that is run for many rows of values. */
export interface EachStatement {
  readonly name: string;
  readonly columns: Readonly<Record<string, 'text' | 'bigint'>>;
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
export function eachStatement<Columns extends Readonly<Record<string, 'text' | 'bigint'>>>(
  name: string,
  columns: Columns,
  build: (values: { readonly [Column in keyof Columns]: string }, from: string) => string,
): EachStatement {
  const text = (dialect: Dialect): string => {
    const { values, from } = dialect.each(columns);
    return build(values as { readonly [Column in keyof Columns]: string }, from);
  };
  return { name, columns, text };
}

/** A transaction under way. Its methods must not be called after its work has ended. */
export interface SqlTransaction {
  query<Row extends SqlRow>(statement: Statement<Row>, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** Runs the statement for each row of values, in order; answers for each whether it changed a row of the table. */
  each(statement: EachStatement, rows: readonly SqlRow[]): Promise<readonly boolean[]>;
  /** Runs a text that is made on the spot: schema changes and the filters of people, nothing hot. */
  execute<Row extends SqlRow>(text: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The clock of the database, milliseconds since the epoch. */
  wallMs(): Promise<number>;
}

/** Connections to one database. Errors are TaskFlowError STORE_*. */
export interface SqlDriver {
  readonly dialect: Dialect;
  /** Runs `work` in one transaction that may write: all of it is stored durably, or nothing. */
  transaction<Answer>(work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer>;
  /** Runs `work` on one consistent snapshot that may not write. */
  read<Answer>(work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer>;
  /** Makes every other process that migrates wait until this transaction ends. */
  lockMigrations(tx: SqlTransaction): Promise<void>;
  hasTable(tx: SqlTransaction, name: string): Promise<boolean>;
}
