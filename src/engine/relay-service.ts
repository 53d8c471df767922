/** Pushes tasks of committed transactions to a broker that is in no database. */

import { limits } from '../core/limits.ts';
import type { Relay } from '../core/relay.ts';
import { createService, type Service, type ServiceOptions } from './service.ts';

export function createRelayService(
  relay: Pick<Relay, 'push'>,
  loop: Pick<ServiceOptions, 'clock' | 'chance' | 'report'>,
): Service {
  return createService({ name: 'relay', periodMs: limits.relayMs, ...loop, tick: () => relay.push() });
}
