/** The events as the outbox keeps them: one entry of a stream for each kind of change in a call. */

import type { BatchEvent, EventItem } from '../../core/events.ts';
import { limits } from '../../core/limits.ts';
import type { Reason, TaskState } from '../../core/states.ts';
import type { Outbox } from '../broker.ts';
import { getBodies, getStands } from './bodies.ts';
import type { Connection, StreamReader } from './connection.ts';

const stream = 'events';

/** Makes a call between open and close. */
export type Guarded = <Answer>(call: () => Promise<Answer>) => Promise<Answer>;

/** The events until their reader trims them: nobody else does, or the record would have a hole. */
export function createOutbox(connection: Connection, guarded: Guarded): Outbox {
  const readFor =
    (reader: StreamReader): Outbox['read'] =>
    (after, limit, waitMs) =>
      guarded(async () => {
        const entries = await connection.readStream(stream, {
          reader,
          after,
          limit: Math.min(limit, limits.batchMax),
          waitMs,
        });
        return entries.map(([id, fields]) => readEvent(id, fields));
      });
  return {
    read: readFor('recorder'),
    follow: readFor('onlooker'),
    trim: (upTo, incarnation = '') => guarded(async () => void (await connection.run('trim', [upTo, incarnation]))),
    state: () =>
      guarded(async () => {
        const [lastSeq, trimmedSeq, oldestAt] = await connection.run<State>('outbox-state', []);
        return { lastSeq, trimmedSeq, oldestAt: oldestAt < 0 ? null : oldestAt };
      }),
    bodies: (taskIds) => guarded(() => getBodies(connection, taskIds)),
    stands: (taskIds) => guarded(() => getStands(connection, taskIds)),
  };
}

type State = readonly [lastSeq: number, trimmedSeq: number, oldestAt: number];

/** What neighbours of one event share, then their ids: see `record` in lua/change.lua. */
type Group = readonly [
  name: string,
  queue: string,
  version: number,
  from: TaskState | false,
  to: TaskState | false,
  reason: Reason | false,
  attempt: number,
  ids: string,
];

/** Reads one entry of the stream: its id, and its fields as Redis lists them. */
export function readEvent(id: string, fields: readonly string[]): BatchEvent {
  const [, at = '0', , kind = '', , items = '[]'] = fields;
  return {
    seq: Number.parseInt(id, 10),
    at: Number(at),
    kind: kind as BatchEvent['kind'],
    items: (JSON.parse(items) as readonly Group[]).flatMap(readGroup),
  };
}

function readGroup([name, queue, version, from, to, reason, attempt, ids]: Group): readonly EventItem[] {
  return ids.split(' ').map((taskId) => ({
    taskId,
    name,
    queue,
    version,
    from: from === false ? null : from,
    to: to === false ? null : to,
    reason: reason === false ? null : reason,
    attempt,
  }));
}
