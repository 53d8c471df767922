/** Fires schedules that are due. Any number of schedulers may run: each time is fired at most once, whoever comes first. */

import type { Broker, Unsubscribe } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import { type Firing, planFirings } from '../core/schedule.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

/**
 * Sleeps until the next schedule is due, at most `limits.schedulePollMs`: so it notices within that time what it was not
 * signalled, and a store's clock that stepped. It keeps nothing of a schedule between two looks, and no timer for any.
 */
export function createScheduler(broker: Broker, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Service {
  let untilDueMs = Number.POSITIVE_INFINITY;
  let unsubscribe: Unsubscribe | null = null;

  const service = createService({
    name: 'scheduler',
    periodMs: limits.schedulePollMs,
    dueMs: () => untilDueMs,
    ...loop,
    async tick(signal) {
      const { now, schedules, nextDueAt } = await broker.schedules.due(limits.schedulesPerTickMax);
      for (const firings of firingBatches(schedules.flatMap((schedule) => planFirings(schedule, now)))) {
        signal.throwIfAborted();
        await broker.schedules.fire(firings);
      }
      untilDueMs = nextDueAt === null ? Number.POSITIVE_INFINITY : nextDueAt - now;
      // What was fired may be due again, and was not among the next ones that were looked up before.
      return schedules.length > 0 ? 'full' : 'done';
    },
  });

  return {
    ...service,
    start() {
      unsubscribe ??= broker.subscribe((signal) => {
        if (signal.kind === 'settings') service.wake();
      });
      service.start();
    },
    stop() {
      unsubscribe?.();
      unsubscribe = null;
      return service.stop();
    },
  };
}

/** Calls of the seam in the order of the firings, each within its limits. */
export function* firingBatches(firings: readonly Firing[]): Generator<readonly Firing[]> {
  let batch: Firing[] = [];
  let bytes = 0;
  for (const firing of firings) {
    // A UTF-16 unit is at most three bytes of UTF-8.
    const size = firing.kind === 'skip' ? 0 : firing.task.payload.length * 3;
    if (batch.length === limits.batchMax || (batch.length > 0 && bytes + size > limits.batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(firing);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
