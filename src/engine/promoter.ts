/** Makes scheduled tasks claimable when they are due: at their time when this process knows it, else within a period. */

import type { Broker } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

export interface Promoter extends Service {
  /** A task that this process knows of will be due in `delayMs`. */
  dueIn(delayMs: number): void;
}

/** Known due times kept; beyond it the period finds them. */
const dueTimesMax = 1_000;
/** Due times this close are one tick. */
const dueGrainMs = 10;
/** How long after the last promotion the short period stays: what is scheduled comes in series. */
const busyMs = 10_000;

/** While nothing was due lately it looks once in `limits.promoteIdleMs`, else every `limits.promoteMs` and at each known time. */
export function createPromoter(broker: Broker, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Promoter {
  const { clock } = loop;
  const dueTimes = new Set<number>();
  let busyUntil = -Infinity;

  const service = createService({
    name: 'promoter',
    periodMs: () => (clock.elapsed() < busyUntil ? limits.promoteMs : limits.promoteIdleMs),
    dueMs: () => Math.min(Infinity, ...dueTimes) - clock.elapsed(),
    ...loop,
    async tick() {
      const now = clock.elapsed();
      for (const dueAt of dueTimes) if (dueAt <= now) dueTimes.delete(dueAt);
      const promoted = await broker.promote(limits.tickMax);
      if (promoted > 0) busyUntil = clock.elapsed() + busyMs;
      return promoted >= limits.tickMax ? 'full' : 'done';
    },
  });

  function dueIn(delayMs: number): void {
    const dueAt = Math.ceil((clock.elapsed() + delayMs + 1) / dueGrainMs) * dueGrainMs;
    if (dueTimes.has(dueAt) || dueTimes.size >= dueTimesMax) return;
    dueTimes.add(dueAt);
    service.wakeIn(dueAt - clock.elapsed());
  }

  return { ...service, dueIn };
}
