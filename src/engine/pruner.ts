/** Removes finished tasks past their retention, and what else is past its time. */

import type { Broker } from '../broker/broker.ts';
import type { Audit } from '../core/access.ts';
import { limits } from '../core/limits.ts';
import type { Recording } from '../history/recording.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

export function createPruner(broker: Broker, loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>): Service {
  return createService({
    name: 'pruner',
    periodMs: limits.pruneMs,
    ...loop,
    tick: async () => ((await broker.prune(limits.pruneMax)) >= limits.pruneMax ? 'full' : 'done'),
  });
}

/** The audit of a store. */
export function createAuditPruner(
  audit: Pick<Audit, 'prune'>,
  keepMs: number,
  loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>,
): Service {
  return createService({
    name: 'audit pruner',
    periodMs: limits.auditPruneMs,
    ...loop,
    tick: async () => ((await audit.prune(keepMs)) >= limits.auditBatchMax ? 'full' : 'done'),
  });
}

/** The record keeps tasks for longer than the live store beside it, and forgets them by itself. */
export function createRecordPruner(
  recording: Pick<Recording, 'prune'>,
  loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>,
): Service {
  return createService({
    name: 'record pruner',
    periodMs: limits.pruneMs,
    ...loop,
    tick: async () => ((await recording.prune(limits.pruneMax)) >= limits.pruneMax ? 'full' : 'done'),
  });
}
