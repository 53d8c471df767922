/** Makes scheduled tasks claimable when they are due: the store says when that is, and tells of tasks that come before it. */

import type { Broker } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

export interface Promoter extends Service {
  /** A task will be due in `delayMs`. A hint: one that is lost is made up for by the period. */
  dueIn(delayMs: number): void;
}

/** Sleeps until the next task is due, at most `limits.promoteMs`: the store may not have told of it. */
export function createPromoter(broker: Broker, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Promoter {
  const { clock } = loop;
  let nextAt = Infinity;
  let notBefore = -Infinity;

  const service = createService({
    name: 'promoter',
    periodMs: limits.promoteMs,
    dueMs: () => Math.max(nextAt, notBefore) - clock.elapsed(),
    ...loop,
    async tick() {
      // What is hinted at from here on may be missing in the answer.
      nextAt = Infinity;
      const { promoted, nextInMs } = await broker.promote(limits.tickMax);
      if (promoted > 0) notBefore = clock.elapsed() + limits.promoteGrainMs;
      if (nextInMs !== null) nextAt = Math.min(nextAt, clock.elapsed() + nextInMs);
      return promoted >= limits.tickMax ? 'full' : 'done';
    },
  });

  function dueIn(delayMs: number): void {
    const dueAt = clock.elapsed() + delayMs;
    if (dueAt >= nextAt) return;
    nextAt = dueAt;
    service.wakeIn(Math.max(dueAt, notBefore) - clock.elapsed());
  }

  return { ...service, dueIn };
}
