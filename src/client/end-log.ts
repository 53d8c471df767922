/** Tells from the event log which tasks have ended: one read, however many are waited for. */

import type { Broker } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Clock } from '../core/time.ts';
import type { History } from '../history/history.ts';

export interface EndLog {
  /**
   * The tasks that have ended since the last call. `null` when the log cannot tell, as at the first call: whoever waits has to look at
   * each, and from then on it tells of every end. Never rejects: a log that is away cannot tell.
   */
  ended(): Promise<readonly string[] | null>;
}

/** What the log is read from. */
export interface EndLogStore {
  readonly broker: Pick<Broker, 'info'>;
  readonly history: Pick<History, 'events' | 'eventSpan'>;
}

interface Place {
  readonly incarnation: string;
  readonly seq: number;
}

/** Only for a store whose log keeps what was read: an outbox is trimmed. Calls must not overlap. */
export function createEndLog({ broker, history }: EndLogStore, clock: Clock): EndLog {
  let place: Place | null = null;
  let checkedAt = -Infinity;

  /** Whether the store is still the one that was read, and has what comes next; else it goes on from where that is now. */
  async function isSame(): Promise<boolean> {
    const [{ incarnation }, { from, last }] = await Promise.all([broker.info(), history.eventSpan()]);
    checkedAt = clock.elapsed();
    const known = place;
    if (known !== null && known.incarnation === incarnation && from <= known.seq && known.seq <= last) return true;
    place = { incarnation, seq: last };
    return false;
  }

  async function read(): Promise<readonly string[] | null> {
    if (place === null || clock.elapsed() - checkedAt >= limits.liveCheckMs) {
      if (!(await isSame())) return null;
    }
    const ended: string[] = [];
    for (let reads = 0; reads < limits.resultLogReadsMax && place !== null; reads++) {
      const events = await history.events(place.seq, limits.liveReadMax);
      for (const { items } of events) for (const { taskId, to } of items) if (isEnd(to)) ended.push(taskId);
      const last = events.at(-1);
      if (last !== undefined) place = { ...place, seq: last.seq };
      if (events.length < limits.liveReadMax) return ended;
    }
    // So much has happened that to look at those who are waited for is less.
    place = null;
    await isSame();
    return null;
  }

  return {
    async ended() {
      try {
        return await read();
      } catch {
        // What was read of it may not have been told.
        place = null;
        return null;
      }
    },
  };
}

/** `null` is a task that was removed: there is nothing to wait for. */
function isEnd(to: Parameters<typeof isFinished>[0] | null): boolean {
  return to === null || isFinished(to);
}
