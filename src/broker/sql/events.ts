/** Reads the events that steps have appended. */

import type { BatchEvent, EventItem } from '../../core/events.ts';
import type { EventGroup, EventKind } from './changes.ts';
import { type SqlTransaction, statement } from './driver.ts';

/** Inputs: number of the last event seen, limit. */
const eventsAfter = statement<[seq: number, at: number, kind: EventKind, items: string]>(
  'events_after',
  (dialect) => `SELECT seq, at, kind, items FROM events WHERE seq > $1${dialect.finalEvents} ORDER BY seq LIMIT $2`,
);

/** Events after `seq`, oldest first. */
export async function readEvents(tx: SqlTransaction, after: number, limit: number): Promise<readonly BatchEvent[]> {
  const rows = await tx.query(eventsAfter, after, limit);
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
