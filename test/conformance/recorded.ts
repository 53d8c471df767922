/** A store with an outbox as the cases of single stores need it: as if a recorder had read everything in time. */

import type { Broker } from '../../src/broker/broker.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { limits } from '../../src/core/limits.ts';
import type { OutboxLimits } from './store.ts';

/** Finished tasks are kept for their whole time, as where the live store is the record. */
export const unlimited: OutboxLimits = { outboxMax: limits.outboxMax, liveKeepMs: 1e12 };

/** The same broker, whose events are moved to `recorded` before it prunes. */
export function recordingBeforePrune(broker: Broker, recorded: BatchEvent[]): Broker {
  return {
    ...broker,
    prune: async (limit) => {
      for (let isMore = true; isMore; ) {
        const events = (await broker.outbox?.read(recorded.at(-1)?.seq ?? 0, limits.batchMax, 0)) ?? [];
        recorded.push(...events);
        isMore = events.length > 0;
      }
      await broker.outbox?.trim(recorded.at(-1)?.seq ?? 0);
      return broker.prune(limit);
    },
  };
}
