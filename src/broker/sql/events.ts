/** Reads the events that steps have appended. */

import type { BatchEvent, EventItem } from '../../core/events.ts';
import type { EventGroup, EventKind } from './changes.ts';
import { type SqlDriver, type SqlTransaction, statement } from './driver.ts';

/** Inputs: number of the last event seen, of the last one to read, limit. */
const eventsAfter = statement<[seq: number, at: number, kind: EventKind, items: string]>(
  'events_after',
  () => 'SELECT seq, at, kind, items FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3',
);

/**
 * Events after `seq`, oldest first, none left out that comes before one of them: where many write at once an event may get its
 * number before another and be seen after it.
 */
export async function readFinalEvents(driver: SqlDriver, after: number, limit: number): Promise<readonly BatchEvent[]> {
  const last = await driver.finalEvent();
  return driver.read((tx) => readEvents(tx, after, limit, last));
}

const eventSpan = statement<[first: number | null, last: number | null]>(
  'event_span',
  ({ least, greatest }) => `SELECT (${least('seq', 'events')}), (${greatest('seq', 'events')})`,
);

/** The last event that is gone, and the last one whose order is final. */
export async function readEventSpan(driver: SqlDriver): Promise<{ readonly from: number; readonly last: number }> {
  const final = await driver.finalEvent();
  const [row] = await driver.readOne(eventSpan);
  const [first, last] = row ?? [null, null];
  if (first === null) return { from: final ?? 0, last: final ?? 0 };
  return { from: first - 1, last: final ?? last ?? 0 };
}

/** All events after `seq` that are seen now, or those up to `last`, oldest first. */
export async function readEvents(
  tx: SqlTransaction,
  after: number,
  limit: number,
  last: number | null = null,
): Promise<readonly BatchEvent[]> {
  const rows = await tx.query(eventsAfter, after, last ?? Number.MAX_SAFE_INTEGER, limit);
  return rows.map(([seq, at, kind, items]) => ({
    seq,
    at,
    kind,
    items: (JSON.parse(items) as readonly EventGroup[]).flatMap(itemsOf),
  }));
}

function itemsOf([name, queue, from, to, reason, attempt, version, taskIds]: EventGroup): readonly EventItem[] {
  return taskIds.map((taskId) => ({ taskId, name, queue, version, from, to, reason, attempt }));
}
