/** The outbox of a memory store that is not the record, and what waits for it. */

import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Stand } from '../../core/standing.ts';
import type { Outbox, TaskBody } from '../broker.ts';
import { refuseLargeBatch } from './refuse.ts';
import type { MemoryState, Row } from './state.ts';
import type { Step } from './step.ts';

/** Reads answer at once: `waitMs` is for stores that others write to. */
export function createOutbox(run: <Answer>(call: (step: Step) => Answer) => Promise<Answer>): Outbox {
  const read: Outbox['read'] = (after, limit) =>
    run(({ state }) => state.events.filter(({ seq }) => seq > after).slice(0, limit));
  return {
    read,
    follow: read,
    trim: (upTo, incarnation) =>
      run(({ state }) => {
        if (incarnation !== undefined && incarnation !== state.incarnation) return;
        const kept = state.events.findIndex(({ seq }) => seq > upTo);
        state.events.splice(0, kept === -1 ? state.events.length : kept);
        state.trimmedSeq = Math.max(state.trimmedSeq, Math.min(upTo, state.lastSeq));
      }),
    state: () =>
      run(({ state: { lastSeq, trimmedSeq, events } }) => ({ lastSeq, trimmedSeq, oldestAt: events[0]?.at ?? null })),
    bodies: (taskIds) =>
      run(({ state }) => {
        refuseLargeBatch(taskIds);
        const bodies: (TaskBody | null)[] = [];
        let bytes = 0;
        for (const id of taskIds) {
          const body = bodyOf(state.rows.get(id));
          bytes += body === null ? 0 : Buffer.byteLength(body.task.payload) + Buffer.byteLength(body.task.result ?? '');
          if (bytes > limits.bodiesBytesMax && bodies.length > 0) break;
          bodies.push(body);
        }
        return bodies;
      }),
    stands: (taskIds) =>
      run(({ state }) => {
        refuseLargeBatch(taskIds);
        const stands: (Stand | null)[] = [];
        let bytes = 0;
        for (const id of taskIds) {
          const stand = standOf(state.rows.get(id));
          bytes += Buffer.byteLength(stand?.result ?? '');
          if (bytes > limits.bodiesBytesMax && stands.length > 0) break;
          stands.push(stand);
        }
        return stands;
      }),
  };
}

function standOf(row: Row | undefined): Stand | null {
  if (row === undefined || row.attempts.length > 0 || row.logs.length > 0) return null;
  const { task } = row;
  const hasMore = task.progress !== null || task.error !== null || task.checkpoints.length > 0 || task.startBy !== null;
  return task.state === 'running' || hasMore ? null : { standing: task, result: task.result };
}

function bodyOf(row: Row | undefined): TaskBody | null {
  if (row === undefined) return null;
  return { task: row.task, attempts: [...row.attempts], logs: row.logs.slice(-limits.logLinesMax) };
}

/** Throws OUTBOX_FULL. */
export function refuseFullOutbox({ outbox, lastSeq, trimmedSeq }: MemoryState): void {
  const pending = lastSeq - trimmedSeq;
  if (outbox !== null && pending >= outbox.outboxMax) throw taskFlowError('OUTBOX_FULL', { pending });
}

/** Whether the end of a task may not have been read: what had finished before the oldest event has been. */
export function isUnrecorded({ outbox, events }: MemoryState, { task }: Row): boolean {
  const [oldest] = events;
  return outbox !== null && oldest !== undefined && (task.finishedAt ?? 0) >= oldest.at;
}
