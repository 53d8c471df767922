/** One connection to a SQLite file: its settings, set and read back, and its prepared statements. */

import process from 'node:process';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { taskFlowError } from '../../core/errors.ts';
import type {
  Dialect,
  EachStatement,
  ManyStatement,
  SqlRow,
  SqlTransaction,
  SqlValue,
  Statement,
} from '../sql/driver.ts';
import { type OnStatement, tellingStatements } from '../sql/told.ts';
import { sqliteJson } from './json.ts';

/** Lists and rows of values come as JSON through the table-valued json_each; one writer needs no row locks. */
export const sqliteDialect: Dialect = {
  name: 'sqlite',
  oneOf: (parameter) => `IN (SELECT value FROM json_each(${parameter}))`,
  keyed: (value) => `= ${value}`,
  keyedPair: ([first, second], [one, other]) => `${first} = ${one} AND ${second} = ${other}`,
  least: (column, source) => `SELECT min(${column}) FROM ${source}`,
  greatest: (column, source) => `SELECT max(${column}) FROM ${source}`,
  oneFrom: (query) => `IN (${query})`,
  lock: '',
  lockInOrderOf: () => '',
  skipLocked: '',
  each: (columns) => ({
    values: Object.fromEntries(Object.keys(columns).map((column, index) => [column, `$${index + 1}`])),
    from: '',
  }),
  many: (shared, own, rows) => {
    const values: Record<string, string> = {};
    const names = Object.keys(shared);
    for (const [index, name] of names.entries()) values[name] = `$${index + 1}`;
    const columns = Object.keys(own);
    for (const [index, name] of columns.entries()) values[name] = `column${index + 1}`;
    let position = names.length;
    const row = (): string => `(${columns.map(() => `$${++position}`).join(', ')})`;
    return { values, from: `FROM (VALUES ${Array.from({ length: rows }, row).join(', ')})` };
  },
  orRollback: 'OR ROLLBACK ',
  clock: (ownMs) => ownMs,
  named: 'all',
  row: 'seq',
  taskOf: (id) => `CROSS JOIN tasks WHERE id = ${id}`,
  tasksOf: (behind) => `CROSS JOIN tasks AS task ON task.seq IN (SELECT seq FROM tasks ${behind})`,
  json: sqliteJson,
};

/** How long a call may stand still for another writer; beyond it the waiting is asynchronous. */
const busyMs = 20;

/**
 * Whether a SQLite tells how much of a log is in the file without copying the rest: `wal_checkpoint(NOOP)` came with 3.51, which Node has from
 * 24.14 on. One before takes a word it does not know for PASSIVE, and copies.
 */
export function tellsOfLog(version = process.versions.sqlite ?? ''): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 51);
}

/**
 * Bytes of the log after which a commit copies into the file what is not there yet: keeps recovery short, 50 ms. In a process that writes
 * for longer than a moment the most is there already (see log-copier.ts), and the log can begin anew. Where commits do all of it, it is a
 * quarter: they stand still for a quarter as long.
 */
const checkpointBytes = tellsOfLog() ? 32_768_000 : 8_192_000;

export interface Connection {
  readonly tx: SqlTransaction;
  /** Stands still for another writer, but not for long. */
  begin(kind: 'BEGIN' | 'BEGIN IMMEDIATE'): void;
  /** Does not stand still at all. */
  tryBegin(kind: 'BEGIN' | 'BEGIN IMMEDIATE'): void;
  commit(): void;
  rollback(): void;
  /** Runs one statement outside of any transaction. */
  runOne<Row extends SqlRow>(statement: Statement<Row>, values: readonly SqlValue[]): readonly Row[];
  /** Changes when another connection has committed something. */
  dataVersion(): number;
  /** Bytes of the log that are not in the file yet, as of the last commit here; 0 where there is no log, `null` where SQLite does not tell. */
  uncopiedBytes(): number | null;
  pragma(text: string): SqlValue;
  close(): void;
}

export interface ConnectionOptions {
  /** Of the pages of a file that is not there yet. */
  readonly pageBytes?: number | undefined;
  /** Told of every statement but the beginning and the end of transactions. */
  readonly onStatement?: OnStatement | undefined;
}

/**
 * Opens the file, or a private database in memory for `:memory:`. Throws errors of `node:sqlite`.
 */
export function openConnection(
  file: string,
  wallMs: () => number,
  { pageBytes, onStatement }: ConnectionOptions = {},
): Connection {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true });
  const prepare = (text: string): StatementSync => {
    const prepared = database.prepare(text);
    prepared.setReturnArrays(true);
    return prepared;
  };
  const pragma = (text: string): SqlValue =>
    Object.values(database.prepare(`PRAGMA ${text}`).get() ?? {})[0] as SqlValue;
  try {
    configure(file, pragma, pageBytes);
  } catch (error) {
    database.close();
    throw error;
  }
  const begins = { BEGIN: prepare('BEGIN'), 'BEGIN IMMEDIATE': prepare('BEGIN IMMEDIATE') };
  const commit = prepare('COMMIT');
  const version = prepare('PRAGMA data_version');
  const log = tellsOfLog() ? prepare('PRAGMA wal_checkpoint(NOOP)') : null;
  const frameBytes = Number(pragma('page_size'));
  const { tx, runOne } = createPrepared(prepare, wallMs, sqliteDialect, () => {
    // A refused statement has ended it, and whoever sends without waiting goes on: what follows would be stored by itself.
    if (!database.isTransaction) throw new Error('Invariant broken: this transaction is over');
  });
  const told: Pick<Connection, 'tx' | 'runOne'> =
    onStatement === undefined
      ? { tx, runOne }
      : {
          tx: tellingStatements(tx, sqliteDialect, onStatement),
          runOne: (statement, values) => {
            onStatement(statement.text(sqliteDialect), values);
            return runOne(statement, values);
          },
        };
  return {
    ...told,
    begin: (kind) => void begins[kind].run(),
    tryBegin: (kind) => {
      database.exec('PRAGMA busy_timeout = 0');
      try {
        begins[kind].run();
      } finally {
        database.exec(`PRAGMA busy_timeout = ${busyMs}`);
      }
    },
    commit: () => void commit.run(),
    rollback: () => {
      // Some errors, a full disk among them, have rolled back already.
      if (database.isTransaction) database.exec('ROLLBACK');
    },
    dataVersion: () => (version.get() as unknown as readonly number[])[0] ?? 0,
    uncopiedBytes: () => {
      if (log === null) return null;
      const [, frames = 0, copied = 0] = log.get() as unknown as readonly number[];
      return (frames - copied) * frameBytes;
    },
    pragma,
    close: () => database.close(),
  };
}

/**
 * SQLite reads $1 as a name and ?1 as a position. A bare ? is bound without a search through the names of the statement,
 * where the values come one after the other, each once: as they do in what is run for every task. A bare value behind LIMIT
 * is one SQLite plans by: it would compile the statement anew for every call, which is most of the cost of a small claim.
 */
function withPositions(text: string): string {
  const positions = [...text.matchAll(/\$(\d+)/g)].map(([, digits]) => Number(digits));
  const inOrder = positions.every((position, index) => position === index + 1);
  return text.replace(/LIMIT (?=\$)/g, 'LIMIT +').replace(/\$(\d+)/g, inOrder ? '?' : '?$1');
}

/**
 * What is wrong with the file, or `null`. Reads all of it. A connection that may write would, by closing, copy the log into the
 * damaged file and delete it: both are needed as they are to recover the tasks. Throws errors of `node:sqlite`.
 */
export function findDamage(file: string): string | null {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    database.exec(`PRAGMA busy_timeout = ${busyMs}`);
    const found = String(Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0]);
    return found === 'ok' ? null : found;
  } finally {
    database.close();
  }
}

/** busy_timeout first: the others may have to wait for a lock. A setting that does not hold is a lie about durability. */
function configure(file: string, pragma: (text: string) => SqlValue, pageBytes?: number): void {
  pragma(`busy_timeout = ${busyMs}`);
  if (pageBytes !== undefined) pragma(`page_size = ${pageBytes}`);
  const isFile = file !== ':memory:';
  const wanted: readonly (readonly [name: string, value: SqlValue])[] = [
    ['journal_mode', isFile ? 'wal' : 'memory'],
    ['synchronous', 2],
    ['foreign_keys', 1],
    ['wal_autocheckpoint', Math.floor(checkpointBytes / Number(pragma('page_size')))],
  ];
  for (const [name, value] of wanted) {
    pragma(`${name} = ${value}`);
    const actual = pragma(name);
    if (actual !== value)
      throw taskFlowError('STORE_UNREACHABLE', { problem: `${file} does not keep ${name}=${value} but has ${actual}` });
  }
}

/** Rows that one run of a statement of many stores, largest first: 25 at once are half of what one by one costs, 100 a tenth less, more gain nothing. */
const manyRows: readonly number[] = [100, 25, 5, 1];

/** The statements of a connection, each prepared once. `prepare` makes them answer arrays; `checkOpen` throws when no transaction is open. */
export function createPrepared(
  prepareText: (text: string) => StatementSync,
  wallMs: () => number,
  dialect: Dialect,
  checkOpen: () => void = () => undefined,
): { readonly tx: SqlTransaction; readonly runOne: Connection['runOne'] } {
  const prepare = (text: string): StatementSync => prepareText(withPositions(text));
  const prepared = new Map<Statement | EachStatement, StatementSync>();
  const find = (statement: Statement | EachStatement): StatementSync => {
    let found = prepared.get(statement);
    if (found === undefined) {
      found = prepare(statement.text(dialect));
      prepared.set(statement, found);
    }
    return found;
  };
  const preparedMany = new Map<string, StatementSync>();
  const findMany = (statement: ManyStatement, rows: number): StatementSync => {
    const key = `${statement.name} ${rows}`;
    let found = preparedMany.get(key);
    if (found === undefined) {
      found = prepare(statement.text(dialect, rows));
      preparedMany.set(key, found);
    }
    return found;
  };
  const runOne = <Row extends SqlRow>(statement: Statement<Row>, values: readonly SqlValue[]) =>
    find(statement).all(...(values as SQLInputValue[])) as unknown as readonly Row[];
  const tx: SqlTransaction = {
    query: async (statement, ...values) => {
      checkOpen();
      return runOne(statement, values);
    },
    change: async (statement, ...values) => {
      checkOpen();
      return Number(find(statement).run(...(values as SQLInputValue[])).changes);
    },
    each: async (statement, rows) => {
      if (rows.length === 0) return [];
      checkOpen();
      const found = find(statement);
      return rows.map((row) => found.run(...(row as SQLInputValue[])).changes !== 0);
    },
    many: async (statement, shared, rows) => {
      checkOpen();
      let stored = 0;
      let begin = 0;
      for (const size of manyRows) {
        for (; begin + size <= rows.length; begin += size) {
          const values: SqlValue[] = [...shared];
          for (let index = begin; index < begin + size; index++) values.push(...(rows[index] ?? []));
          stored += Number(findMany(statement, size).run(...(values as SQLInputValue[])).changes);
        }
      }
      return { count: stored, told: null };
    },
    send: (statement, ...values) => {
      checkOpen();
      find(statement).run(...(values as SQLInputValue[]));
    },
    sendEach: (statement, rows) => {
      checkOpen();
      const found = rows.length === 0 ? null : find(statement);
      for (const row of rows) found?.run(...(row as SQLInputValue[]));
    },
    filter: async <Row extends SqlRow>(text: string, ...values: readonly SqlValue[]) =>
      prepare(text).all(...(values as SQLInputValue[])) as unknown as readonly Row[],
    execute: (text, ...values) => tx.filter(text, ...values),
    wallMs: async () => wallMs(),
    ownMs: wallMs,
    lock: async () => {},
    hold: async () => false,
    tryHold: async () => true,
    // Whoever reads sees nobody in the middle.
    holdEvents: () => {},
  };
  return { tx, runOne };
}
