/** Takes part in the transaction of a user's own connection to the database of the store, whatever client it is of. */

import type { QueryArrayConfig } from 'pg';
import { TaskFlowError } from '../../core/errors.ts';
import { type Join, notJoinable } from '../sql/join.ts';
import { codeOf, isAfterError, translate } from './errors.ts';
import { eventOrderStatements } from './event-order.ts';
import { createSession, createTexts, type PgClient, type SessionSettings } from './session.ts';
import { decodeText } from './text.ts';

export interface PostgresJoinOptions extends Pick<SessionSettings, 'namespace' | 'now'> {
  /** The URL of the store without its password. */
  readonly masked: string;
}

/** What is asked of a connection: that is less than any client can do. */
interface Queryable {
  query(text: string, values: readonly unknown[]): PromiseLike<{ readonly rows: readonly object[] }>;
}

/** Of no use before the transaction has ended, or of a table that is not there. */
const codes = { noTransaction: '25P01', failed: '25P02', noTable: '42P01', noSchema: '3F000' } as const;

/** Statements are not prepared: whose connection it is, and behind which pooler, is not known. */
export function createPostgresJoin({ masked, ...options }: PostgresJoinOptions): Join {
  const settings = { ...options, prepares: false, holdEvents: eventOrderStatements(options.namespace).hold };
  const texts = createTexts(settings);
  const waiting = new WeakMap<object, Promise<unknown>>();

  const joined: Join = async (handle, work) => {
    if (!isQueryable(handle)) throw notJoinable('a connection with query(text, values) is needed for this store');
    const run = inOrder(handle);
    await begin(run);
    const { tx, firstError } = createSession(clientOf(run), settings, texts);
    try {
      const answer = await work(tx);
      await run('RELEASE SAVEPOINT taskflow', []);
      return answer;
    } catch (error) {
      const first = firstError();
      // Where this fails, too, the connection is gone; the first error tells why.
      await run('ROLLBACK TO SAVEPOINT taskflow', []).catch(() => {});
      throw told(isAfterError(error) ? first : error, masked);
    }
  };

  /** One step at a time: a connection has one transaction, however many calls are made in it. */
  return async (handle, work) => {
    const key = typeof handle === 'object' && handle !== null ? handle : {};
    const step = (waiting.get(key) ?? Promise.resolve()).then(() => joined(handle, work));
    waiting.set(
      key,
      step.catch(() => {}),
    );
    return await step;
  };
}

function isQueryable(handle: unknown): handle is Queryable {
  return typeof handle === 'object' && handle !== null && 'query' in handle && typeof handle.query === 'function';
}

type Run = (text: string, values: readonly unknown[]) => Promise<readonly object[]>;

/** A client may refuse a statement while another one is under way. */
function inOrder(handle: Queryable): Run {
  let last: Promise<unknown> = Promise.resolve();
  return (text, values) => {
    const sent = last.then(async () => (await handle.query(text, [...values])).rows);
    last = sent.catch(() => {});
    return sent;
  };
}

/** The savepoint is refused outside of a transaction: of a pool each statement has a connection of its own. */
async function begin(run: Run): Promise<void> {
  try {
    await run('SAVEPOINT taskflow', []);
  } catch (error) {
    const code = codeOf(error);
    if (code === codes.noTransaction)
      throw notJoinable(
        'the connection is in no transaction now: begin one, and commit after this call has been awaited',
      );
    if (code === codes.failed) throw notJoinable('the transaction has failed already: roll it back');
    throw notJoinable(`the connection cannot be used: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * A session over a client that gives rows as objects, with its own notion of types: each row comes as one JSON list. Fields
 * of one name are no trouble in there, and numbers are numbers.
 */
function clientOf(run: Run): PgClient {
  const query = async ({ text, values = [] }: QueryArrayConfig): Promise<object> => {
    const isCount = !/^(SELECT|WITH)\b/i.test(text) && !/\bRETURNING\b/i.test(text);
    const answer = isCount ? `${text} RETURNING 1` : text;
    const rows = await run(
      `WITH answer AS (${answer}) SELECT (SELECT json_agg(value ORDER BY n) FROM json_each(row_to_json(answer)) WITH ORDINALITY AS field(key, value, n))::text AS taskflow FROM answer`,
      values,
    );
    return { command: '', rowCount: rows.length, rows: rows.map(listOf) };
  };
  return { query } as unknown as PgClient;
}

/** Conditions are 0 and 1, as in SQLite. */
function listOf(row: object): readonly unknown[] {
  const [text] = Object.values(row) as [string];
  return (JSON.parse(text) as readonly unknown[]).map((value) => {
    if (typeof value === 'boolean') return Number(value);
    return typeof value === 'string' ? decodeText(value) : value;
  });
}

function told(error: unknown, masked: string): unknown {
  if (error instanceof TaskFlowError) return error;
  const code = codeOf(error);
  if (code === codes.noTable || code === codes.noSchema)
    return notJoinable('its connection leads to a database without the tables of the store');
  return translate(error, masked);
}
