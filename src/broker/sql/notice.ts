/** Turns the events that other processes have appended into the signals they would have sent here. */

import { isFinished } from '../../core/states.ts';
import type { Signal } from '../broker.ts';
import { type SqlTransaction, statement } from './driver.ts';
import { readEvents } from './events.ts';
import { isAnyOverdue } from './overdue.ts';
import { readNextDue } from './promote.ts';

/** Events do not name workers. */
const command: Signal = { kind: 'command', workerIds: null };

/** Events read for one notice; beyond it the signals name no tasks. */
const noticedMax = 100;

const lastEventSeq = statement<[seq: number | null]>(
  'last_event_seq',
  ({ greatest }) => `SELECT (${greatest('seq', 'events')})`,
);

export async function readLastSeq(tx: SqlTransaction): Promise<number> {
  const [row] = await tx.query(lastEventSeq);
  return row?.[0] ?? 0;
}

/** Input: seq. Behind a hundred events only their kinds are looked at. */
const laterControl = statement<[found: number]>(
  'later_control',
  () => "SELECT 1 FROM events WHERE seq > $1 AND kind = 'control' LIMIT 1",
);

export interface Notice {
  readonly signals: readonly Signal[];
  readonly seq: number;
}

/** What happened after `seq`. Own events are among them: a hint too many does no harm. */
export async function readNotice(tx: SqlTransaction, seq: number): Promise<Notice> {
  const last = await readLastSeq(tx);
  if (last - seq > noticedMax) {
    const some: Signal[] = [
      { kind: 'work', queues: null },
      { kind: 'finished', taskIds: null },
      { kind: 'settings' },
      ...(await readDue(tx)),
      ...(await readOverdue(tx)),
    ];
    const isControlled = (await tx.query(laterControl, seq)).length > 0;
    return { signals: isControlled ? [...some, command] : some, seq: last };
  }
  const work = new Set<string>();
  const cancels: string[] = [];
  const finished: string[] = [];
  let scheduled = false;
  let failed = false;
  let configured = false;
  let controlled = false;
  for (const event of await readEvents(tx, seq, noticedMax)) {
    if (event.kind === 'configure') configured = true;
    if (event.kind === 'control') controlled = true;
    for (const { taskId, queue, to } of event.items) {
      if (event.kind === 'cancelRequest') cancels.push(taskId);
      else if (to === 'queued') work.add(queue);
      else if (to === 'scheduled') scheduled = true;
      else if (to !== null && isFinished(to)) finished.push(taskId);
      if (to === 'failed' || to === 'cancelled' || to === 'blocked') failed = true;
    }
  }
  const signals: Signal[] = [];
  // A resumed queue is named by no item.
  if (work.size > 0 || configured) signals.push({ kind: 'work', queues: configured ? null : [...work] });
  if (scheduled) signals.push(...(await readDue(tx)));
  if (failed) signals.push(...(await readOverdue(tx)));
  if (cancels.length > 0) signals.push({ kind: 'cancel', taskIds: cancels });
  if (finished.length > 0) signals.push({ kind: 'finished', taskIds: finished });
  if (configured) signals.push({ kind: 'settings' });
  if (controlled) signals.push(command);
  return { signals, seq: last };
}

/** Events do not say who waited for a task that has failed. */
async function readOverdue(tx: SqlTransaction): Promise<readonly Signal[]> {
  return (await isAnyOverdue(tx, await tx.wallMs())) ? [{ kind: 'overdue' }] : [];
}

/** Events do not say when their tasks are due; the first of all tells more anyway. */
async function readDue(tx: SqlTransaction): Promise<readonly Signal[]> {
  const dueAt = await readNextDue(tx);
  return dueAt === null ? [] : [{ kind: 'due', inMs: Math.max(0, dueAt - (await tx.wallMs())) }];
}
