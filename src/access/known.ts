/** What a server has read of keys and sessions: asked again when it is old, and good for a moment longer while the store is away. */

import { isUnreachable } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';

/** A row as it was read, with the store's time of then. */
interface Read<Row> {
  readonly row: Row;
  readonly storeMs: number;
  readonly readAt: number;
}

export interface Known<Row> {
  /** The row of a name with the store's time; `null` when there is none. Rejects with STORE_* when it is away for too long. */
  get(name: string): Promise<{ readonly row: Row; readonly now: number } | null>;
  forget(name: string): void;
}

/** `read` answers the row and the store's time. */
export function createKnown<Row>(
  clock: Pick<Clock, 'elapsed'>,
  read: (name: string) => Promise<{ readonly row: Row; readonly now: number } | null>,
): Known<Row> {
  const known = new Map<string, Read<Row>>();
  const reading = new Map<string, Promise<Read<Row> | null>>();

  const readNow = (name: string): Promise<Read<Row> | null> => {
    const under = reading.get(name);
    if (under !== undefined) return under;
    // As old as the question: the answer may have been on its way for a while.
    const readAt = clock.elapsed();
    const next = read(name)
      .then((found) => {
        known.delete(name);
        if (found === null || reading.get(name) !== next)
          return found === null ? null : { ...found, readAt, storeMs: found.now };
        const entry = { row: found.row, storeMs: found.now, readAt };
        const [oldest] = known.keys();
        if (known.size >= limits.accessKnownMax && oldest !== undefined) known.delete(oldest);
        known.set(name, entry);
        return entry;
      })
      .finally(() => {
        if (reading.get(name) === next) reading.delete(name);
      });
    reading.set(name, next);
    return next;
  };

  const answer = ({ row, storeMs, readAt }: Read<Row>) => ({ row, now: storeMs + (clock.elapsed() - readAt) });

  return {
    get: async (name) => {
      const entry = known.get(name);
      const age = entry === undefined ? Number.POSITIVE_INFINITY : clock.elapsed() - entry.readAt;
      if (entry !== undefined && age < limits.accessFreshMs) return answer(entry);
      try {
        const found = await readNow(name);
        return found === null ? null : answer(found);
      } catch (error) {
        if (entry === undefined || !isUnreachable(error)) throw error;
        if (clock.elapsed() - entry.readAt < limits.accessStaleMs) return answer(entry);
        throw error;
      }
    },
    forget: (name) => {
      known.delete(name);
      // What is on its way was asked before.
      reading.delete(name);
    },
  };
}
