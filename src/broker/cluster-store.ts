/** The cluster setup: a live store that is no database, and beside it the record that a recorder keeps. */

import { createAccess } from '../access/access.ts';
import type { Chance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import type { Clock } from '../core/time.ts';
import type { History, Store } from '../history/history.ts';
import { recalling } from '../history/recorded/recalling.ts';
import { createRecordedHistory } from '../history/recorded/recorded-history.ts';
import { createSqlRecording } from '../history/recording/sql-recording.ts';
import { createSqlHistory } from '../history/sql-history.ts';
import { withRelay } from '../relay/with-relay.ts';
import type { Broker, Outbox } from './broker.ts';
import type { RecordDatabase } from './record-database.ts';

export interface ClusterStoreOptions {
  readonly broker: Broker & { readonly outbox: Outbox };
  readonly database: RecordDatabase;
  readonly clock: Clock;
  readonly chance: Chance;
}

/**
 * Opened by its broker, the record first; closing the store closes both. Without a record that is out of reach it is opened all the
 * same. Somebody has to run a recorder: every engine does.
 */
export function createClusterStore({ broker, database, clock, chance }: ClusterStoreOptions): Store {
  const { driver, join } = database;
  const recording = createSqlRecording(driver);
  const recorded = createSqlHistory(driver, clock, { form: 'record' });
  const { broker: relayed, relay } = withRelay({
    broker: recalling({ broker, recording, clock }),
    driver,
    join,
    clock,
  });
  let opening: Promise<void> | null = null;
  const open = async (): Promise<void> => {
    await database.open();
    try {
      await broker.open();
    } catch (error) {
      await database.close();
      throw error;
    }
  };
  return {
    broker: {
      ...relayed,
      open: () => {
        opening ??= open();
        return opening;
      },
    },
    history: createRecordedHistory({ history: recorded, recording, broker, outbox: broker.outbox, clock }),
    recording,
    access: createAccess({ driver, clock, chance }),
    away: database.away,
    relay,
    isParallel: true,
    close: async () => {
      await recorded.close();
      await broker.close();
      if (opening !== null && (await opening.then(() => true).catch(() => false))) await database.close();
    },
  };
}

/** A live store alone, for a worker: what it runs is recorded by others. */
export function createLiveStore(broker: Broker): Store {
  return { broker, history: noHistory(), isParallel: true, close: () => broker.close() };
}

function noHistory(): History {
  const missing = (what: string) => async (): Promise<never> => {
    throw taskFlowError('RECORD_MISSING', { what });
  };
  return {
    search: missing('A search'),
    flows: missing('A list of flows'),
    task: missing('The story of a task'),
    minutes: missing('A count of what ended'),
    activity: missing('A count of what ended'),
    ended: missing('A count of what ended'),
    samples: missing('A look back'),
    facets: missing('A count of tasks'),
    events: missing('A list of events'),
    eventSpan: missing('A list of events'),
    lagMs: async () => 0,
    // Whoever has the record takes them.
    sample: async () => false,
  };
}
