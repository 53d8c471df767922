/** A message as it goes out: written once, however many clients hear it. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { LiveChange, LiveMessage } from '../core/live.ts';
import { once } from '../core/once.ts';
import { isoTime } from '../core/time.ts';

export interface LiveFrame {
  readonly type: LiveMessage['type'];
  readonly cursor: string;
  /** The message as JSON, in UTF-8. */
  json(): Uint8Array;
  /** The same as an event of a stream: the cursor is its id. */
  event(): Uint8Array;
}

const encoder = new TextEncoder();

export function createFrame(message: LiveMessage): LiveFrame {
  return frameOf(message.type, message.cursor, () => JSON.stringify(message));
}

/** A state is compared as text before it is sent: it is not written twice. `data` is JSON. */
export function createStateFrame(topic: string, cursor: string, data: string): LiveFrame {
  const head = JSON.stringify({ type: 'state', topic, cursor });
  return frameOf('state', cursor, () => `${head.slice(0, -1)},"data":${data}}`);
}

function frameOf(type: LiveMessage['type'], cursor: string, write: () => string): LiveFrame {
  const text = once(write);
  return {
    type,
    cursor,
    json: once(() => encoder.encode(text())),
    event: once(() => encoder.encode(`id: ${cursor}\ndata: ${text()}\n\n`)),
  };
}

/** Adds the changes of an event that are wanted. */
export function addChanges(
  changes: LiveChange[],
  { at, kind, items }: BatchEvent,
  isWanted: (item: EventItem) => boolean,
): void {
  let time: string | null = null;
  for (const item of items) {
    if (!isWanted(item)) continue;
    time ??= isoTime(at);
    const { taskId, name, queue, version, from, to, reason, attempt } = item;
    changes.push({ id: taskId, name, queue, version, kind, from, to, reason, attempt, at: time });
  }
}
