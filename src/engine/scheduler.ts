/** Fires schedules that are due. Any number of schedulers may run: each time is fired at most once, whoever comes first. */

import type { Broker, Unsubscribe } from '../broker/broker.ts';
import { isRefusal, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Firing, planFirings, type ScheduleRecord } from '../core/schedule.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

/**
 * Sleeps until the next schedule is due, at most `limits.schedulePollMs`: so it notices within that time what it was not
 * signalled, and a store's clock that stepped. It keeps nothing of a schedule between two looks, and no timer for any.
 */
export function createScheduler(broker: Broker, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Service {
  let untilDueMs = Number.POSITIVE_INFINITY;
  let unsubscribe: Unsubscribe | null = null;
  const told = new Set<string>();

  /** A schedule that cannot be fired stays as it is and holds up no other: a later version, or another machine, may read it. */
  function tell({ name, version }: Pick<ScheduleRecord, 'name' | 'version'>, thrown: unknown): void {
    const key = `${version}|${name}`;
    if (told.has(key)) return;
    if (told.size >= limits.schedulesPerTickMax) told.clear();
    told.add(key);
    const problem = (thrown instanceof Error ? thrown.message : String(thrown)).replace(/\.$/, '');
    const error = taskFlowError('SCHEDULE_UNREADABLE', { name, problem }, { cause: thrown });
    loop.report({ kind: 'failed', service: 'scheduler', error, failures: 1 });
  }

  function* plan(schedules: readonly ScheduleRecord[], now: number): Generator<Firing> {
    for (const schedule of schedules) {
      let firings: readonly Firing[] = [];
      try {
        firings = planFirings(schedule, now);
      } catch (thrown) {
        tell(schedule, thrown);
      }
      yield* firings;
    }
  }

  /** Answers how many were not refused. One that is refused must not keep those beside it from being fired. */
  async function fire(firings: readonly Firing[]): Promise<number> {
    try {
      await broker.schedules.fire(firings);
      return firings.length;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (firings.length > 1) {
        let done = 0;
        for (const firing of firings) done += await fire([firing]);
        return done;
      }
      const [firing] = firings;
      if (firing !== undefined)
        tell({ name: firing.schedule, version: 'version' in firing ? firing.version : 0 }, error);
      return 0;
    }
  }

  const service = createService({
    name: 'scheduler',
    periodMs: limits.schedulePollMs,
    dueMs: () => untilDueMs,
    ...loop,
    async tick(signal) {
      const { now, schedules, nextDueAt } = await broker.schedules.due(limits.schedulesPerTickMax);
      let done = 0;
      for (const firings of firingBatches(plan(schedules, now))) {
        signal.throwIfAborted();
        done += await fire(firings);
      }
      untilDueMs = nextDueAt === null ? Number.POSITIVE_INFINITY : nextDueAt - now;
      // What was fired may be due again, and was not among the next ones that were looked up before.
      return done > 0 ? 'full' : 'done';
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
export function* firingBatches(firings: Iterable<Firing>): Generator<readonly Firing[]> {
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
