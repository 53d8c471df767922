/** Makes the context operations run in. */

import { type Chance, systemChance } from '../core/chance.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { createIds } from '../core/ids.ts';
import { type Clock, systemClock } from '../core/time.ts';
import type { Store } from '../history/history.ts';
import { createDefinitions } from './definitions.ts';
import type { Actor, OperationContext } from './operation.ts';

export interface ContextOptions {
  readonly store: Store;
  readonly actor: Actor;
  /** Definitions of this process; those of living workers are known beside them. */
  readonly definitions?: readonly TaskDefinition[];
  readonly clock?: Clock;
  readonly chance?: Chance;
}

/** A context over an open store. Keep it: it remembers ids and what workers published. */
export function createContext({
  store,
  actor,
  definitions = [],
  clock = systemClock,
  chance = systemChance,
}: ContextOptions): OperationContext {
  return {
    store,
    actor,
    clock,
    ids: createIds(clock, chance),
    definitions: createDefinitions(store.broker, clock, definitions),
  };
}
