/** Takes part in the transaction of a user's own `node:sqlite` connection to the file of the store. */

import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { taskFlowError } from '../../core/errors.ts';
import type { SqlTransaction } from '../sql/driver.ts';
import { type Join, notJoinable } from '../sql/join.ts';
import { createPrepared, sqliteDialect } from './connection.ts';
import { isBusy, translate } from './errors.ts';
import { createMutex, type Mutex } from './mutex.ts';

/** What is kept for a connection of the user's, for as long as they keep it. */
interface Guest {
  readonly tx: SqlTransaction;
  /** One step at a time: a connection has one transaction, however many calls are made in it. */
  readonly alone: Mutex;
}

export interface SqliteJoinOptions {
  readonly file: string;
  /** The wall clock, milliseconds since the epoch. */
  readonly now: () => number;
}

/** Statements are prepared once per connection of the user's. */
export function createSqliteJoin({ file, now }: SqliteJoinOptions): Join {
  const guests = new WeakMap<DatabaseSync, Guest>();

  const guestOf = (database: DatabaseSync): Guest => {
    let guest = guests.get(database);
    if (guest === undefined) {
      guest = { tx: transactionOf(database, now), alone: createMutex() };
      guests.set(database, guest);
    }
    return guest;
  };

  return async (handle, work) => {
    if (!(handle instanceof DatabaseSync)) throw notJoinable('a DatabaseSync of node:sqlite is needed for this store');
    const { tx, alone } = guestOf(handle);
    return await alone(async () => {
      checkOpen(handle);
      checkFile(handle, file);
      handle.exec('SAVEPOINT taskflow');
      try {
        const answer = await work(tx);
        handle.exec('RELEASE taskflow');
        return answer;
      } catch (error) {
        undo(handle);
        throw told(error, file);
      }
    });
  };
}

/** Each statement looks first: behind a commit that did not wait for it, it would be a transaction of its own, half a step. */
function transactionOf(database: DatabaseSync, now: () => number): SqlTransaction {
  const prepare = (text: string) => {
    const prepared = database.prepare(text);
    prepared.setReadBigInts(false);
    prepared.setReturnArrays(true);
    return prepared;
  };
  // A broken rule must not end a transaction that is not ours.
  const { tx } = createPrepared(prepare, now, { ...sqliteDialect, orRollback: '' });
  const open = (): SqlTransaction => {
    checkOpen(database);
    return tx;
  };
  return {
    ...tx,
    query: (...given) => open().query(...given),
    change: (...given) => open().change(...given),
    each: (...given) => open().each(...given),
    many: (...given) => open().many(...given),
    filter: (...given) => open().filter(...given),
    execute: (...given) => open().execute(...given),
  };
}

function checkOpen(database: DatabaseSync): void {
  if (!database.isOpen) throw notJoinable('the connection is closed');
  if (!database.isTransaction)
    throw notJoinable(
      'the connection is in no transaction now: begin one, and commit after this call has been awaited',
    );
}

/** By what the file is, not by its name: a link leads to it too. */
function checkFile(database: DatabaseSync, file: string): void {
  const theirs = database.location();
  const [own, other] = [file, theirs ?? ''].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  if (own === undefined || other === undefined || own.dev !== other.dev || own.ino !== other.ino)
    throw notJoinable(`the connection has ${theirs ?? 'a database in memory'} open, and the store is ${file}`);
}

/** Some errors, a full disk among them, have ended the whole transaction already. */
function undo(database: DatabaseSync): void {
  if (database.isOpen && database.isTransaction) database.exec('ROLLBACK TO taskflow; RELEASE taskflow');
}

/** A transaction that has only read so far may be too old to write: waiting does not help it. */
function told(error: unknown, file: string): unknown {
  if (!isBusy(error) || !(error instanceof Error)) return translate(error, file);
  const hint =
    'Begin with BEGIN IMMEDIATE, and give your connection a timeout: new DatabaseSync(file, { timeout: 5_000 })';
  return taskFlowError('STORE_LOCKED', { file, problem: error.message }, { cause: error, hint });
}
