/** Says goodbye for servers of this machine that were killed: the store would count on them for another half minute. */

import type { Broker } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import type { WorkerRecord } from '../core/presence.ts';
import type { Clock } from '../core/time.ts';
import { isGone, type ProcessPlace, readPlace } from './host.ts';

export interface DepartedOptions {
  readonly broker: Pick<Broker, 'getWorkers' | 'heartbeat'>;
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Whether a process of this machine has ended for certain; by default its pid is looked up. */
  readonly isGone?: (place: ProcessPlace) => boolean;
}

/**
 * Looks, at most every `limits.reapMs`, for servers whose process is gone, and removes their presence. Answers whether
 * there were any. The store is asked which servers there are when one is gone, and else every `limits.presenceMs`, for that is
 * how long it counts on one that nobody has seen die. Rejects with errors of the store; the next look tries again.
 */
export function createDepartedLook({ broker, clock, ...options }: DepartedOptions): () => Promise<boolean> {
  const here = readPlace();
  const hasEnded = options.isGone ?? ((place) => isGone(place, here));
  let nextAt = -Infinity;
  let readAt = -Infinity;
  let servers: readonly WorkerRecord[] = [];
  return async () => {
    const now = clock.elapsed();
    if (now < nextAt) return false;
    nextAt = now + limits.reapMs;
    if (now < readAt + limits.presenceMs && !servers.some(hasEnded)) return false;
    servers = (await broker.getWorkers()).filter(({ server }) => server);
    readAt = now;
    const departed = servers.filter(hasEnded);
    for (const { startedAt: _startedAt, beatAt: _beatAt, ...presence } of departed) {
      const goodbye = { ...presence, state: 'stopped', definitions: null } as const;
      await broker.heartbeat({ worker: goodbye, leaseMs: limits.leaseMs, beats: [] });
    }
    return departed.length > 0;
  };
}
