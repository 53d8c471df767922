/** The event log of a store as live updates read it: the tables of a database, or the outbox of a live store that is none. */

import type { Broker } from '../broker/broker.ts';
import type { BatchEvent } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import type { EventSpan, Store } from '../history/history.ts';

/** A place the log was seen at. */
export interface LogSpan extends EventSpan {
  readonly incarnation: string;
}

/** The log, for any number of readers: none of them takes anything out of it. */
export interface Feed {
  /** Whether `read` waits for the first event, so that nobody has to look again and again. */
  readonly waits: boolean;
  span(): Promise<LogSpan>;
  /** Events behind `after`, oldest first, at most `limits.liveReadMax`. Where some of them are gone it does not say so: `span` does. */
  read(after: number, waitMs: number): Promise<readonly BatchEvent[]>;
  /** Whether these come right behind `after`, as far as their numbers tell. */
  isWhole(after: number, events: readonly BatchEvent[]): boolean;
}

export function createFeed({ broker, history }: Pick<Store, 'broker' | 'history'>): Feed {
  return broker.outbox === undefined ? createHistoryFeed(broker, history) : createOutboxFeed(broker, broker.outbox);
}

function createHistoryFeed(broker: Broker, history: Store['history']): Feed {
  return {
    waits: false,
    async span() {
      const [{ incarnation }, span] = await Promise.all([broker.info(), history.eventSpan()]);
      return { incarnation, ...span };
    },
    read: (after) => history.events(after, limits.liveReadMax),
    // Transactions that were rolled back have used numbers up. What is pruned is a day old.
    isWhole: () => true,
  };
}

function createOutboxFeed(broker: Broker, outbox: NonNullable<Broker['outbox']>): Feed {
  return {
    waits: true,
    async span() {
      const [{ incarnation }, { lastSeq, trimmedSeq }] = await Promise.all([broker.info(), outbox.state()]);
      return { incarnation, from: trimmedSeq, last: lastSeq };
    },
    read: (after, waitMs) => outbox.follow(after, limits.liveReadMax, waitMs),
    // Numbers count tasks: each event tells where the one before it was.
    isWhole(after, events) {
      let last = after;
      for (const { seq, items } of events) {
        if (seq - Math.max(1, items.length) !== last) return false;
        last = seq;
      }
      return true;
    },
  };
}
