/** SqlDriver over `pg`: a pool of connections, transactions that are done again when they lost a race. */

import pg from 'pg';
import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { heard } from '../../core/heard.ts';
import { limits } from '../../core/limits.ts';
import { type Clock, sleep } from '../../core/time.ts';
import type { Durability } from '../durability.ts';
import { type SqlDriver, type SqlRow, type SqlTransaction, type Statement, statement } from '../sql/driver.ts';
import type { OnStatement } from '../sql/told.ts';
import { postgresDialect } from './dialect.ts';
import { isAfterError, isLost, isOutdated, isRaced, isRefusal, isTooMuch, translate } from './errors.ts';
import { eventOrderStatements, finalEventOf } from './event-order.ts';
import { greet, serverFacts } from './greet.ts';
import { inTime } from './patience.ts';
import { identifier } from './schema.ts';
import { createSession, createTexts, type PgClient, type Session, type WholeValue } from './session.ts';
import { clientConfig, type PostgresAddress } from './url.ts';

export interface PostgresDriverOptions {
  readonly address: PostgresAddress;
  /** The schema with the tables. */
  readonly namespace: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The clock of a test instead of the server's. */
  readonly now?: () => number;
  /** Connections that outlive the driver, all with the texts of this namespace: a new one costs as much as a hundred statements. */
  readonly pool?: pg.Pool;
  /** For tests and benches: told of all that is sent but the beginning and the end of transactions; see {@link OnStatement}. */
  readonly onStatement?: OnStatement | undefined;
}

export interface PostgresDriver extends SqlDriver {
  /** Connects once and looks whether the server will do. Throws STORE_* in one line. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** What comes from now on goes over new connections; calls under way end on theirs. A pool that outlives the driver stays. */
  reconnect(): void;
  /**
   * Runs statements that may write as one transaction, all of it sent before anything is answered. Answers the rows of each; `null` when
   * they lost a race, one was outdated or too much for the server: nothing was done then.
   */
  writeWhole(ones: readonly WholeStatement[], around?: WholeAround): Promise<readonly (readonly SqlRow[])[] | null>;
}

export interface WholeAround {
  /** Runs right before, as another transaction that the statements see. */
  readonly before?: WholeStatement | null;
  /** Runs right behind, as another transaction whose answer nobody needs. */
  readonly behind?: WholeStatement | null;
  /** Held, shared, before they begin: who holds it alone has ended then, and is seen. */
  readonly keepsOut?: 'settings';
}

/** A statement of this store alone with its values. */
export interface WholeStatement {
  readonly statement: Statement;
  readonly values: readonly WholeValue[];
}

const isFrame = (text: string): boolean => /^(?:BEGIN|COMMIT|ROLLBACK)\b/.test(text);

const begins = {
  write: 'BEGIN',
  read: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
} as const;

const foundTable = statement<[found: number]>('found_table', () => 'SELECT to_regclass($1) IS NOT NULL');
const foundSchema = statement<[found: number]>('found_schema', () => 'SELECT to_regnamespace($1) IS NOT NULL');

export function createPostgresDriver(options: PostgresDriverOptions): PostgresDriver {
  const { address, namespace, clock, chance, now = null } = options;
  const eventOrder = eventOrderStatements(namespace);
  const settings = { namespace, prepares: address.prepares, now, holdEvents: eventOrder.hold };
  const texts = createTexts(settings);
  const schema = identifier(namespace);
  let pool: pg.Pool | null = null;
  let durability: Durability = { durability: 'unverified', detail: 'not connected' };

  /** Runs `work` on a connection of its own, which is thrown away where it may be of no use any more. */
  const onSession = async <Answer>(work: (session: Session) => Promise<Answer>): Promise<Answer> => {
    if (pool === null) throw taskFlowError('STORE_CLOSED');
    const client = await pool.connect();
    let isBroken = false;
    const onError = (): void => {
      isBroken = true;
    };
    client.on('error', onError);
    try {
      const answering: PgClient = {
        query: ({ patienceMs, ...asked }) => {
          if (options.onStatement !== undefined && !isFrame(asked.text))
            options.onStatement(asked.text, asked.values ?? []);
          return inTime(clock, client, { answer: client.query(asked), patienceMs });
        },
      };
      return await work(createSession(answering, settings, texts));
    } catch (error) {
      isBroken ||= isLost(error);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(isBroken);
    }
  };

  const inTransaction = <Answer>(begin: string, work: (tx: SqlTransaction) => Promise<Answer>): Promise<Answer> =>
    onSession(async ({ tx, send, firstError }) => {
      // Sent together with the first statement. One that fails is on a connection that is gone, and so is all behind it.
      const begun = send(begin);
      try {
        const answer = await work(tx);
        await begun;
        const ended = await send('COMMIT');
        // A statement that nobody waited for was refused, and so this was a rollback.
        if (ended !== 'COMMIT') throw firstError();
        return answer;
      } catch (error) {
        // When that fails, too, the connection is gone; the first error tells why.
        const first = firstError();
        await send('ROLLBACK').catch(() => {});
        throw isAfterError(error) ? first : error;
      }
    });

  /** A step that lost a race has done nothing, and does not lose for ever: each time one of those in it wins. */
  const again = async <Answer>(attempt: () => Promise<Answer>): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isRaced(error) || tries >= limits.postgresTriesMax) throw translate(error, address.masked);
        await sleep(clock, chance.float() * limits.postgresRetryMs * tries);
      }
    }
  };

  const driver: PostgresDriver = {
    dialect: postgresDialect,
    transaction: (work) => again(() => inTransaction(begins.write, work)),
    read: (work) => again(() => inTransaction(begins.read, work)),
    readOne: (one, ...values) => again(() => onSession(({ runOne }) => runOne(one, values))),
    writeOne: (one, ...values) => again(() => onSession(({ runOne }) => runOne(one, values))),
    writeWhole: async (ones, around = {}) => {
      try {
        return await onSession((session) => runWhole(session, ones, around));
      } catch (error) {
        // What is too much for one statement may not be for many, which tell nobody.
        if (isRaced(error) || isOutdated(error) || isTooMuch(error)) return null;
        throw translate(error, address.masked);
      }
    },
    wallMs: () => (now === null ? again(() => onSession(({ tx }) => tx.wallMs())) : Promise.resolve(now())),
    ownMs: now ?? (() => null),
    lockMigrations: async (tx) => {
      await tx.hold('migrations', [''], 'alone');
      // Also whoever may not make a schema may use one that is there.
      if ((await tx.query(foundSchema, schema))[0]?.[0] !== 1) await tx.execute(`CREATE SCHEMA ${schema}`);
      await tx.execute(`SET LOCAL search_path TO ${schema}`);
    },
    finalEvent: async () => {
      const [row] = await driver.readOne(eventOrder.last);
      const held = await driver.readOne(eventOrder.held);
      return finalEventOf(
        row?.[0] ?? 0,
        held.map(([key]) => key),
      );
    },
    isRefusal,
    hasTable: async (tx, name) => (await tx.query(foundTable, `${schema}.${identifier(name)}`))[0]?.[0] === 1,
    open: async () => {
      pool = options.pool ?? createPool(address);
      try {
        durability = greet(await driver.readOne(serverFacts), address);
      } catch (error) {
        await driver.close();
        throw error;
      }
    },
    close: async () => {
      const open = pool;
      pool = null;
      if (open !== options.pool) await open?.end();
    },
    durability: () => durability,
    reconnect: () => {
      const old = pool;
      if (old === null || old === options.pool) return;
      pool = createPool(address);
      retire(old);
    },
  };
  return driver;
}

async function runWhole(
  { runOne, send, tx, firstError }: Session,
  ones: readonly WholeStatement[],
  { before = null, behind = null, keepsOut }: WholeAround,
): Promise<readonly (readonly SqlRow[])[]> {
  const ahead = before === null ? null : heard(runOne(before.statement, before.values));
  // One by itself is a transaction.
  const isPlain = keepsOut === undefined && ones.length === 1;
  const begun = isPlain ? null : send(begins.write);
  if (keepsOut !== undefined) void tx.hold(keepsOut, [''], 'shared');
  const answers = ones.map(({ statement, values }) => heard(runOne(statement, values)));
  const ended = isPlain ? null : send('COMMIT');
  if (behind !== null) void heard(runOne(behind.statement, behind.values));
  try {
    await ahead;
    await begun;
    const rows = await Promise.all(answers);
    await ended;
    return rows;
  } catch (error) {
    throw isAfterError(error) ? firstError() : error;
  }
}

/** The connections of one process, made as they are asked for. */
export function createPool(address: PostgresAddress): pg.Pool {
  const created = new pg.Pool({ ...clientConfig(address), max: address.pool, pipeline: true } as pg.PoolConfig);
  // A connection that nobody uses is gone: the next one is made when it is asked for.
  created.on('error', () => {});
  // One that ends in the same moment in which it is there has not been handed to anybody who listens.
  created.on('connect', (client) => client.on('error', () => {}));
  return created;
}

/** Ends a pool once it has served who waits for a connection: told to end, it would let them wait until they give up. */
function retire(old: pg.Pool): void {
  if (old.waitingCount > 0) old.once('release', () => retire(old));
  // Its last connection may be one whose other end is gone: nobody waits for that.
  else old.end().catch(() => {});
}
