/** A record that may be out of reach when its live store is opened: tasks run without it, and whoever asks for it opens it first. */

import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import type { SqlDriver } from './sql/driver.ts';

export interface LateRecordOptions {
  /** Not yet opened. */
  readonly driver: SqlDriver;
  /** Opens and migrates the driver; closed again where that fails, so that it can be tried again. */
  open(): Promise<void>;
  close(): Promise<void> | void;
  /** Whether the database may be there later without anybody changing anything: a mistake is no outage. */
  isOutage(error: unknown): error is TaskFlowError;
}

export interface LateRecord {
  readonly driver: SqlDriver;
  /** Rejects for a mistake. After an outage every call tries again, those at once together, and tells what is in its way. */
  open(): Promise<void>;
  close(): Promise<void>;
  /** Why it could not be opened with its live store; `null` when it could. */
  away(): TaskFlowError | null;
}

export function createLateRecord({ driver, open, close, isOutage }: LateRecordOptions): LateRecord {
  let state: 'new' | 'away' | 'open' | 'closed' = 'new';
  let opening: Promise<void> | null = null;
  let away: TaskFlowError | null = null;

  const openNow = async (): Promise<void> => {
    await open();
    if (state === 'closed') await close();
    else state = 'open';
  };
  const opened = (): Promise<void> => {
    opening ??= openNow().finally(() => {
      opening = null;
    });
    return opening;
  };
  /** One that was not opened, or is closed, says so itself: only an outage is tried again. */
  const once = <Answer>(call: () => Promise<Answer>): Promise<Answer> =>
    state === 'away' ? opened().then(call) : call();

  return {
    driver: {
      ...driver,
      transaction: (work) => once(() => driver.transaction(work)),
      read: (work) => once(() => driver.read(work)),
      readOne: (statement, ...values) => once(() => driver.readOne(statement, ...values)),
      writeOne: (statement, ...values) => once(() => driver.writeOne(statement, ...values)),
      wallMs: () => once(driver.wallMs),
      finalEvent: () => once(driver.finalEvent),
    },
    open: async () => {
      if (state === 'closed') throw taskFlowError('STORE_CLOSED');
      try {
        await opened();
      } catch (error) {
        if (!isOutage(error)) throw error;
        away = error;
        if (state === 'new') state = 'away';
      }
    },
    close: async () => {
      state = 'closed';
      await opening?.catch(() => {});
      await close();
    },
    away: () => away,
  };
}
