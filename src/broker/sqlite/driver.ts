/** SqlDriver over `node:sqlite`: one connection that writes, one that reads, busy locks waited for without blocking. */

import { statSync } from 'node:fs';
import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { type Clock, sleep, standstillMs } from '../../core/time.ts';
import type { Durability } from '../durability.ts';
import { type SqlDriver, type SqlRow, type SqlValue, type Statement, statement } from '../sql/driver.ts';
import type { OnStatement } from '../sql/told.ts';
import { type Connection, findDamage, openConnection, sqliteDialect } from './connection.ts';
import { isBusy, isRefusal, translate } from './errors.ts';
import { isInMemory, makeOwnFile, prepareFolder, refuseNetwork } from './file-system.ts';
import { createLogCopier } from './log-copier.ts';
import { createMutex } from './mutex.ts';

export interface SqliteDriverOptions {
  /** Path of the file, or `:memory:` for a private database that dies with its connection. */
  readonly file: string;
  /** The wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Of the pages of a file that is not there yet. */
  readonly pageBytes?: number;
  /** How long a call waits for another process's lock before STORE_LOCKED. */
  readonly lockedAfterMs?: number;
  /** For tests and benches: see {@link OnStatement}. */
  readonly onStatement?: OnStatement | undefined;
}

export interface SqliteDriver extends SqlDriver {
  /** Opens both connections; makes the folder. Throws STORE_* in one line for everything a file can be. */
  open(): Promise<void>;
  /** Resolves when nothing of this process has the file open. */
  close(): Promise<void>;
  /** Changes when another process has committed something. */
  dataVersion(): number;
}

const lockedAfterMs = 10_000;
const retryMinMs = 1;
const retryMaxMs = 15;

/** A file up to this size is checked after an unclean end: some 40 ms; larger ones are checked by `doctor`. */
const checkedBytesMax = 16 * 1024 * 1024;
/** A log that has grown beyond this, behind a slow reader, is cut to nothing as soon as that is possible. */
const logBytesMax = 64 * 1024 * 1024;
/** Writing transactions between two looks at the size of the log. */
const logLookEvery = 1_000;
/** Between two looks whether the file is still in its place: some 5 µs each. */
const placeLookMs = 1_000;

const foundTable = statement<[name: string]>(
  'found_table',
  () => "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = $1",
);

export function createSqliteDriver(options: SqliteDriverOptions): SqliteDriver {
  const { file, clock, chance } = options;
  const isFile = file !== ':memory:';
  const writing = createMutex();
  const reading = isFile ? createMutex() : writing;
  let writer: Connection | null = null;
  let reader: Connection | null = null;
  let fileSystem = 0;
  let transactions = 0;
  let isLocked = false;
  let identity: string | null = null;
  let placeLookAt = -Infinity;

  const opened = (connection: Connection | null): Connection => {
    if (connection === null) throw taskFlowError('STORE_CLOSED');
    return connection;
  };

  /** When a call that is made now has waited long enough: however many wait before it for the same lock. */
  const patience = (): number => clock.elapsed() + (options.lockedAfterMs ?? lockedAfterMs);

  /** A removed file goes on to accept for as long as a process has it open, and is gone with it: such a store must refuse. */
  const checkPlace = (): void => {
    if (!isFile || clock.elapsed() < placeLookAt) return;
    if (identityOf(file) !== identity) {
      const hint = 'Stop this process and start it again; what ran in it is in the file that was removed.';
      throw taskFlowError(
        'STORE_UNREACHABLE',
        { problem: `${file} was removed or replaced while it was in use` },
        { hint },
      );
    }
    placeLookAt = clock.elapsed() + placeLookMs;
  };

  /**
   * Tries until it is not busy, giving the event loop back before each further try; the others get their turn by chance. Who
   * stands still meanwhile, stopped or blocked, does not wait: that time is no part of its patience.
   */
  const patiently = async <Answer>(attempt: () => Answer, deadline: number, busy: unknown = null): Promise<Answer> => {
    let [giveUpAt, lookedAt] = [deadline, clock.elapsed()];
    for (let last = busy; ; ) {
      if (last !== null) {
        await sleep(clock, retryMinMs + chance.float() * (retryMaxMs - retryMinMs));
        const passedMs = clock.elapsed() - lookedAt;
        if (passedMs > standstillMs) giveUpAt += passedMs;
        lookedAt += passedMs;
        if (lookedAt >= giveUpAt) throw translate(last, file);
      }
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw translate(error, file);
        last = error;
      }
    }
  };

  /** A statement by itself. One that is refused for a lock has done nothing and is tried again as a whole. */
  const runOne = async <Row extends SqlRow>(
    connection: Connection,
    deadline: number,
    statement: Statement<Row>,
    values: readonly SqlValue[],
  ): Promise<readonly Row[]> => {
    try {
      checkPlace();
      return connection.runOne(statement, values);
    } catch (error) {
      if (!isBusy(error)) throw translate(error, file);
      return await patiently(() => connection.runOne(statement, values), deadline, error);
    }
  };

  const run = async <Answer>(
    connection: Connection,
    kind: 'BEGIN' | 'BEGIN IMMEDIATE',
    deadline: number,
    work: (tx: Connection['tx']) => Promise<Answer>,
  ): Promise<Answer> => {
    // The common case first, without a closure or a promise. Standing still is for locks of a few milliseconds: once it was
    // in vain, this process looks only, else its handlers and timers would have a quarter of the time.
    try {
      checkPlace();
      if (isLocked) connection.tryBegin(kind);
      else connection.begin(kind);
    } catch (error) {
      if (!isBusy(error)) throw translate(error, file);
      isLocked = true;
      await patiently(() => connection.tryBegin(kind), deadline, error);
    }
    if (kind === 'BEGIN IMMEDIATE') isLocked = false;
    try {
      const answer = await work(connection.tx);
      connection.commit();
      return answer;
    } catch (error) {
      connection.rollback();
      throw translate(error, file);
    }
  };

  const copier = createLogCopier({ file, clock, uncopiedBytes: () => opened(writer).uncopiedBytes() });

  /** Keeps the log bounded: a checkpoint reuses the log but never shortens it. */
  const boundLog = (): void => {
    if (!isFile) return;
    copier.committed();
    transactions += 1;
    if (transactions % logLookEvery !== 0) return;
    try {
      if (sizeOf(`${file}-wal`) > logBytesMax) opened(writer).pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // A full disk or a reader in the way: the next look tries again. The transaction before is stored and must not seem to have failed.
    }
  };

  const close = async (): Promise<void> => {
    if (reader !== writer) reader?.close();
    writer?.close();
    writer = null;
    reader = null;
    await copier.close();
  };

  return {
    dialect: sqliteDialect,
    transaction: (work) => {
      const deadline = patience();
      return writing(async () => {
        const answer = await run(opened(writer), 'BEGIN IMMEDIATE', deadline, work);
        boundLog();
        return answer;
      });
    },
    read: (work) => {
      const deadline = patience();
      return reading(() => run(opened(reader), 'BEGIN', deadline, work));
    },
    readOne: (one, ...values) => {
      const deadline = patience();
      return reading(() => runOne(opened(reader), deadline, one, values));
    },
    writeOne: (one, ...values) => {
      const deadline = patience();
      return writing(async () => {
        const rows = await runOne(opened(writer), deadline, one, values);
        boundLog();
        return rows;
      });
    },
    wallMs: async () => options.now(),
    ownMs: options.now,
    lockMigrations: async () => {
      // BEGIN IMMEDIATE holds the one lock there is.
    },
    finalEvent: async () => null,
    isRefusal,
    hasTable: async (tx, name) => (await tx.query(foundTable, name)).length > 0,
    open: async () => {
      if (isFile) {
        fileSystem = prepareFolder(file);
        refuseNetwork(file, fileSystem);
      }
      try {
        // A log that is there before the first connection was left by a process that did not close, or belongs to one that runs.
        const log = isFile ? sizeOf(`${file}-wal`) : 0;
        if (log > 0 && sizeOf(file) > 0 && sizeOf(file) <= checkedBytesMax)
          await patiently(() => checkFile(file), patience());
        if (isFile) makeOwnFile(file);
        writer = await patiently(() => openConnection(file, options.now, options), patience());
        reader = isFile ? await patiently(() => openConnection(file, options.now, options), patience()) : writer;
        identity = isFile ? identityOf(file) : null;
      } catch (error) {
        await close();
        throw translate(error, file);
      }
    },
    close,
    durability: () => durabilityOf(opened(writer), isFile, isInMemory(fileSystem)),
    dataVersion: () => opened(writer).dataVersion(),
  };
}

/** 0 for a file that is not there. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Tells a file from another one with its name; `null` when there is none. */
function identityOf(file: string): string | null {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? null : `${found.dev}:${found.ino}`;
}

/** Throws STORE_CORRUPT for a damaged file, and leaves it and its log as they are. */
function checkFile(file: string): void {
  const problem = findDamage(file);
  if (problem !== null) throw taskFlowError('STORE_CORRUPT', { file, problem });
}

const syncNames: readonly string[] = ['OFF', 'NORMAL', 'FULL', 'EXTRA'];

/** Read back from the connection that writes: what was wished for does not count. */
function durabilityOf(connection: Connection, isFile: boolean, inMemory: boolean): Durability {
  if (!isFile) return { durability: 'volatile', detail: 'memory of this process' };
  const sync = Number(connection.pragma('synchronous'));
  const mode = String(connection.pragma('journal_mode')).toUpperCase();
  const detail = `${mode}, synchronous=${syncNames[sync] ?? sync}${inMemory ? ', on a file system in memory' : ''}`;
  if (inMemory || sync === 0) return { durability: 'unverified', detail };
  return { durability: sync >= 2 ? 'strict' : 'standard', detail };
}
