/** A settler over a store of which only what is asked is there, for tests of what it asks and hears. */

import type { Broker } from '../../src/broker/broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import type { Attempt } from '../../src/worker/attempt.ts';
import { createPools } from '../../src/worker/pools.ts';
import { createSettler, type Settler, type SettlerOptions } from '../../src/worker/settler.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';

export interface SettlerRig {
  readonly settler: Settler;
  readonly clock: ManualClock;
}

/** Hears nothing but what `options` name. */
export function createSettlerRig(broker: Partial<Broker>, options: Partial<SettlerOptions> = {}): SettlerRig {
  const clock = createManualClock();
  const settler = createSettler({
    store: { broker: broker as Broker },
    clock,
    chance: seededChance(1),
    workerId: 'w',
    leaseMs: 30_000,
    pools: createPools(['default'], 10),
    onClaimed: () => undefined,
    onReady: () => undefined,
    onSettled: () => undefined,
    onSpawnRefused: () => undefined,
    onRefused: () => undefined,
    onWork: () => undefined,
    ...options,
  });
  return { settler, clock };
}

/** An attempt that has succeeded, as far as a settler looks at it. */
export const endedAttempt = (): Attempt =>
  ({
    refusals: 0,
    verdict: { to: 'succeeded', result: null },
    spawned: null,
    spawnedBytes: 0,
    settlement: () => ({}),
  }) as never;
