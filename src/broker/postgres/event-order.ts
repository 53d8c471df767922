/**
 * Events in the order of their causes. An event is numbered when it is stored, after everything that its step has read and locked: who
 * saw what another step did has the larger number. But a step may end before one with a smaller number does, and a reader that goes
 * on behind the last number it saw would miss that one.
 *
 * So a step holds a shared lock before it takes a number, whose key is the last number that was taken then: its own will be larger.
 * A reader takes the last number, then looks who holds such locks, then reads: up to the smallest of all these nobody is missing.
 * Whoever had a number by then either still holds its lock or has ended, and is seen by what is read after.
 */

import { statement } from '../sql/driver.ts';
import { lockGroup } from './locks.ts';
import { identifier } from './schema.ts';

/** Keys of locks are 32 bits, signed: the lower half of a number that nobody is two thousand million events behind. */
const keyBits = 31;
const keys = 2 ** keyBits;

const lastNumber = (namespace: string): string =>
  `(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ${identifier(namespace)}.events_seq_seq)`;

/** Holds the events that come from now on until the transaction ends. */
export function holdEvents(namespace: string): string {
  return `pg_advisory_xact_lock_shared(${lockGroup(namespace, 'events')}, (${lastNumber(namespace)} % ${keys})::int)`;
}

/** `hold` is the writer's: until its transaction ends. `last`, then `held`, are a reader's: each with a look of its own. */
export function eventOrderStatements(namespace: string) {
  const hold = statement('hold_events', () => `SELECT ${holdEvents(namespace)}`);
  const last = statement<[seq: number]>('last_event_number', () => `SELECT ${lastNumber(namespace)}`);
  // The view shows both halves of a key without their sign.
  const held = statement<[key: number]>(
    'held_events',
    () => `SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
      AND classid = ${lockGroup(namespace, 'events') >>> 0}::bigint::oid
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  return { hold, last, held };
}

/** The smallest of the last number and those that are held. */
export function finalEventOf(last: number, held: readonly number[]): number {
  return held.reduce((least, key) => Math.min(least, last - ((((last - key) % keys) + keys) % keys)), last);
}
