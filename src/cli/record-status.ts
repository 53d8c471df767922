/** How a record stands to its live store, for `db status`. */

import { connect } from '../broker/connect.ts';
import type { SqlDriver } from '../broker/sql/driver.ts';
import type { Config } from '../config/load.ts';
import { isUnreachable } from '../core/errors.ts';
import type { RelayStatus } from '../core/relay.ts';
import { systemClock } from '../core/time.ts';
import { readLag } from '../history/recorded/recorded-history.ts';
import { createSqlRecording } from '../history/recording/sql-recording.ts';
import { readStatus } from '../relay/rows.ts';

export interface RecordStatus {
  /** How far it is behind; `null` while the live store cannot be asked. */
  readonly lagMs: number | null;
  /** Why it cannot. */
  readonly problem: string | null;
  /** Tasks of transactions in the database of the record, on their way to the live store. */
  readonly relay: RelayStatus;
}

export async function recordStatus({ settings }: Config, driver: SqlDriver): Promise<RecordStatus> {
  const { broker } = connect(settings.broker, { namespace: settings.namespace });
  const { outbox } = broker;
  const relay = await readStatus(driver);
  try {
    await broker.open();
    const recording = createSqlRecording(driver);
    const lagMs = outbox === undefined ? 0 : await readLag({ recording, broker, outbox, clock: systemClock });
    return { lagMs, problem: null, relay };
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    return { lagMs: null, problem: error.message, relay };
  } finally {
    await broker.close();
  }
}
