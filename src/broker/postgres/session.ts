/** One connection to Postgres: statements by name, sent without waiting for those before, and the transaction they make. */

import type { QueryArrayConfig, QueryArrayResult } from 'pg';
import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import {
  type Columns,
  type EachStatement,
  type LockScope,
  type ManyStatement,
  type SqlRow,
  type SqlTransaction,
  type SqlValue,
  type Statement,
  statement,
} from '../sql/driver.ts';
import { postgresDialect } from './dialect.ts';
import { hash, lockKey } from './locks.ts';
import { qualify, withCollation } from './schema.ts';
import { arrayOf, arrayOfJson, arrayOfPlain, decodeText, encodeText } from './text.ts';

/** What of `pg` a session uses. */
export interface PgClient {
  query(asked: Asked): Promise<QueryArrayResult>;
}

/** A statement, and how long its answer is waited for where that is longer than for others. */
export interface Asked extends QueryArrayConfig {
  readonly patienceMs?: number | undefined;
}

/** What the sessions of one store have in common. */
export interface SessionSettings {
  /** The schema with the tables. */
  readonly namespace: string;
  /** Whether statements are prepared: not behind a pooler that gives every transaction another connection. */
  readonly prepares: boolean;
  /** The clock of a test instead of the server's. */
  readonly now: (() => number) | null;
  /** What keeps readers of events below those that are being stored. */
  readonly holdEvents: Statement;
}

export interface Session {
  readonly tx: SqlTransaction;
  /** Sends a text without values; answers the command it was, as the server names it. */
  send(text: string): Promise<string>;
  /** The first error on this connection, which made all statements after it fail; `null` when there was none. */
  firstError(): unknown;
  runOne<Row extends SqlRow>(statement: Statement<Row>, values: readonly WholeValue[]): Promise<readonly Row[]>;
}

/** A value of a statement of this store alone may be an array. */
export type WholeValue = SqlValue | readonly SqlValue[];

/** A statement as this store sends it. */
interface Prepared {
  readonly name: string | undefined;
  readonly text: string;
  /** Which of its values are JSON lists, to become arrays. */
  readonly lists: ReadonlySet<number>;
}

/** Somewhat later than the server would have ended it: then the network is to blame. */
const migrationMs = limits.postgresStatementMs + limits.postgresConnectMs;

const wall = statement<[now: number]>('wall', (dialect) => `SELECT ${dialect.clock('$1')}`);

/** Numbers are numbers and conditions 0 and 1, as in SQLite. */
const numbers: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const boolean = 16;
/** What a text is written with is decoded once its values are texts: decoded before, it would be no JSON any more. */
const json = 114;
const asItIs = (value: string): string => value;
const types = {
  getTypeParser: (oid: number) => {
    if (numbers.has(oid)) return Number;
    if (oid === json) return asItIs;
    return oid === boolean ? (value: string) => (value === 't' ? 1 : 0) : decodeText;
  },
} as unknown as NonNullable<QueryArrayConfig['types']>;

/** The texts of one store. A name stands for one text, whoever else of this process uses the connection. */
export function createTexts({ namespace, prepares }: SessionSettings) {
  const known = new Map<Statement | EachStatement | ManyStatement, Prepared>();
  return (statement: Statement | EachStatement | ManyStatement, text: () => string): Prepared => {
    let found = known.get(statement);
    if (found === undefined) {
      const written = qualify(text(), namespace);
      found = {
        name: prepares ? `${statement.name}_${hash(written) >>> 0}` : undefined,
        text: written,
        lists: listsIn(written),
      };
      known.set(statement, found);
    }
    return found;
  };
}

/** The values that stand for JSON lists: what an expression is compared with by `oneOf`, and a list in a document by `hasAny`. */
function listsIn(text: string): ReadonlySet<number> {
  return new Set([...text.matchAll(/(?:ANY\(|\?\| )\$(\d+)::/g)].map(([, digits]) => Number(digits) - 1));
}

export function createSession(
  client: PgClient,
  settings: SessionSettings,
  textOf: ReturnType<typeof createTexts>,
): Session {
  const { namespace, now, prepares, holdEvents } = settings;
  const ownMs = now ?? (() => null);
  let firstError: unknown = null;

  const run = (prepared: Prepared, values: readonly unknown[], patienceMs?: number): Promise<QueryArrayResult> => {
    const { name, text } = prepared;
    const config = { name, text, values: values as unknown[], rowMode: 'array', types, patienceMs };
    const result = client.query(config as Asked);
    // Statements are sent before those before them have answered: the first that fails is told, the others are not missed.
    result.catch((error: unknown) => {
      firstError ??= error;
    });
    return result;
  };

  const send = (prepared: Prepared, values: readonly WholeValue[], patienceMs?: number): Promise<QueryArrayResult> =>
    run(
      prepared,
      values.map((value, index) => {
        if (typeof value === 'object' && value !== null) return arrayOfPlain(value);
        return prepared.lists.has(index) ? arrayOfJson(String(value)) : encode(value);
      }),
      patienceMs,
    );

  const ask = (statement: Statement, values: readonly WholeValue[]): Promise<QueryArrayResult> =>
    send(
      textOf(statement, () => statement.text(postgresDialect)),
      values,
    );

  const rowsOf = async <Row extends SqlRow>(result: Promise<QueryArrayResult>): Promise<readonly Row[]> =>
    (await result).rows as unknown as readonly Row[];

  /** With a name it is prepared, as long as the name stands for this text alone. */
  const plain = (text: string, name?: string): Prepared => ({
    name: prepares ? name : undefined,
    text,
    lists: new Set(),
  });

  const madeHere = (text: string): Prepared => {
    const written = qualify(withCollation(text), namespace);
    return { name: undefined, text: written, lists: listsIn(written) };
  };

  const hold = async (how: string, scope: LockScope, names: readonly string[]): Promise<QueryArrayResult> => {
    const { group, members } = lockKey(namespace, scope, names);
    const text = `SELECT ${how}($1::int, given.member) FROM unnest($2::int[]) AS given(member)`;
    return await run(plain(text, how), [group, arrayOf(members)]);
  };

  const tx: SqlTransaction = {
    query: (statement, ...values) => rowsOf(ask(statement, values)),
    change: async (statement, ...values) => (await ask(statement, values)).rowCount ?? 0,
    each: async (statement, rows) => {
      if (rows.length === 0) return [];
      const prepared = textOf(statement, () => statement.text(postgresDialect) + returning(statement));
      const { rows: told } = await run(prepared, arraysOf(statement.columns, rows));
      return statement.told === null ? changedOf(rows.length, told) : storedOf(statement, rows, told);
    },
    many: async (statement, shared, rows) => {
      if (rows.length === 0) return { count: 0, told: [] };
      const asked = statement.told === null ? '' : ` RETURNING ${statement.told}`;
      const prepared = textOf(statement, () => statement.text(postgresDialect, rows.length) + asked);
      const values = [...shared.map(encode), ...arraysOf(statement.own, rows)];
      const { rowCount, rows: told } = await run(prepared, values);
      return { count: rowCount ?? 0, told: told.map(([value]) => value as SqlValue) };
    },
    filter: (text, ...values) => rowsOf(send(madeHere(text), values)),
    execute: (text, ...values) => rowsOf(send(madeHere(text), values, migrationMs)),
    wallMs: async () => (await rowsOf<[number]>(ask(wall, [ownMs()])))[0]?.[0] ?? 0,
    ownMs,
    lock: async (statement, ...values) => void (await ask(statement, values)),
    hold: async (scope, names, shared) => {
      if (names.length === 0) return false;
      await hold(shared === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock', scope, names);
      return true;
    },
    tryHold: async (scope) => (await hold('pg_try_advisory_xact_lock', scope, [''])).rows[0]?.[0] === 1,
    send: (statement, ...values) => void heard(ask(statement, values)),
    sendEach: (statement, rows) => {
      if (rows.length === 0) return;
      const prepared = textOf(statement, () => statement.text(postgresDialect) + returning(statement));
      void heard(run(prepared, arraysOf(statement.columns, rows)));
    },
    holdEvents: () => void heard(ask(holdEvents, [])),
  };
  return {
    tx: heardOf(tx),
    send: (text) => heard(run(plain(text), []).then(({ command }) => command)),
    firstError: () => firstError,
    runOne: (statement, values) => rowsOf(ask(statement, values)),
  };
}

function heardOf(tx: SqlTransaction): SqlTransaction {
  return {
    query: (...given) => heard(tx.query(...given)),
    change: (...given) => heard(tx.change(...given)),
    each: (...given) => heard(tx.each(...given)),
    many: (...given) => heard(tx.many(...given)),
    filter: (...given) => heard(tx.filter(...given)),
    execute: (...given) => heard(tx.execute(...given)),
    wallMs: () => heard(tx.wallMs()),
    ownMs: tx.ownMs,
    lock: (...given) => heard(tx.lock(...given)),
    hold: (...given) => heard(tx.hold(...given)),
    tryHold: (...given) => heard(tx.tryHold(...given)),
    send: tx.send,
    sendEach: tx.sendEach,
    holdEvents: tx.holdEvents,
  };
}

function encode(value: SqlValue): SqlValue {
  return typeof value === 'string' ? encodeText(value) : value;
}

/** One array a column. */
function arraysOf(columns: Columns, rows: readonly SqlRow[]): readonly string[] {
  return Object.keys(columns).map((_name, column) => arrayOf(rows.map((row) => row[column] ?? null)));
}

/** An INSERT can only tell the columns of its table. */
function returning({ told, text }: EachStatement): string {
  if (told !== null) return ` RETURNING ${Object.values(told).join(', ')}`;
  return text(postgresDialect).startsWith('INSERT') ? '' : ' RETURNING given.n';
}

function changedOf(count: number, told: readonly (readonly unknown[])[]): readonly boolean[] {
  const changed: boolean[] = new Array(count).fill(false);
  for (const [position] of told) changed[Number(position) - 1] = true;
  return changed;
}

/** Of several rows with the same values the first was stored. */
function storedOf(
  { told, columns }: EachStatement,
  rows: readonly SqlRow[],
  stored: readonly (readonly unknown[])[],
): readonly boolean[] {
  const names = Object.keys(columns);
  const positions = Object.keys(told ?? {}).map((name) => names.indexOf(name));
  const fresh = new Set(stored.map((values) => JSON.stringify(values)));
  return rows.map((row) => fresh.delete(JSON.stringify(positions.map((position) => row[position]))));
}
