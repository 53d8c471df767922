/** Stores the schedules that a process has the code of; what it does not know is left alone. */

import type { Broker } from '../broker/broker.ts';
import type { CodeSchedule } from '../core/code-schedule.ts';
import { retold, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type NewSchedule, newSchedule } from '../core/schedule.ts';

/** What storing came to. A schedule whose input is wrong does not keep the others from being stored. */
export interface StoredSchedules {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly failures: readonly TaskFlowError[];
}

/**
 * Puts schedules into the store. Equal ones stay as they are, so any number of processes may do so at any time. Rejects
 * with DUPLICATE_SCHEDULE_NAME for two with one name, and with STORE_*.
 */
export async function putSchedules(broker: Broker, schedules: readonly CodeSchedule[]): Promise<StoredSchedules> {
  refuseDuplicates(schedules);
  if (schedules.length === 0) return { created: [], changed: [], failures: [] };
  const { now } = await broker.info();
  const failures: TaskFlowError[] = [];
  const stored: NewSchedule[] = [];
  for (const { name, define } of schedules) {
    try {
      stored.push(newSchedule(name, await define(), now));
    } catch (error) {
      if (!(error instanceof TaskFlowError)) throw error;
      failures.push(aboutSchedule(name, error));
    }
  }
  const created: string[] = [];
  const changed: string[] = [];
  for (const batch of batchesOf(stored)) {
    const results = await broker.schedules.put(batch);
    for (const [index, { name }] of batch.entries()) {
      if (results[index] === 'created') created.push(name);
      if (results[index] === 'changed') changed.push(name);
    }
  }
  return { created, changed, failures };
}

function refuseDuplicates(schedules: readonly CodeSchedule[]): void {
  const seen = new Map<string, CodeSchedule>();
  for (const schedule of schedules) {
    const other = seen.get(schedule.name);
    if (other !== undefined && other !== schedule) {
      const tasks = `${other.task.name} and ${schedule.task.name}`;
      throw taskFlowError('DUPLICATE_SCHEDULE_NAME', { name: schedule.name, tasks });
    }
    seen.set(schedule.name, schedule);
  }
}

function aboutSchedule(name: string, error: TaskFlowError): TaskFlowError {
  const told = retold(error, { cause: error.cause });
  told.message = `Schedule ${name}: ${error.message}`;
  return told;
}

/** Calls of the seam, each within its limits. */
function* batchesOf(schedules: readonly NewSchedule[]): Generator<readonly NewSchedule[]> {
  let batch: NewSchedule[] = [];
  let bytes = 0;
  for (const schedule of schedules) {
    // A UTF-16 unit is at most three bytes of UTF-8.
    const size = schedule.definition.length * 3;
    if (batch.length === limits.batchMax || (batch.length > 0 && bytes + size > limits.batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(schedule);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
