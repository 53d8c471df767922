/** What a worker publishes of itself: where it runs, what it serves, and the tasks it knows. */

import type { TaskDefinition } from '../core/definition.ts';
import type { Definition, Presence, StallMark } from '../core/presence.ts';
import type { ProcessPlace } from '../engine/host.ts';
import type { Pools } from './pools.ts';

/** What stays the same for the life of a worker. */
export interface WorkerFacts extends ProcessPlace {
  readonly workerId: string;
  readonly name: string;
  readonly version: string;
  readonly definitions: readonly Definition[];
  readonly taskNames: readonly string[];
}

/** A definition as any surface may read it: data only. `file` is where it came from, or `null`. */
export function publishedDefinition(definition: TaskDefinition, file: string | null): Definition {
  const { name, description, queue, inputSchema, schemaVersion, policy, timeoutMs, key, keyForMs, ifExists } =
    definition;
  return {
    name,
    description,
    queue,
    inputSchema,
    schemaVersion,
    policy,
    timeoutMs,
    key,
    keyForMs,
    ifExists,
    group: definition.group,
    limits: definition.limits,
    ...(definition.schedules !== undefined &&
      definition.schedules.size > 0 && { schedules: [...definition.schedules.keys()] }),
    ...(definition.isFlow === true && { isFlow: true }),
    file,
  };
}

/** The presence of now. */
export function workerPresence(
  facts: WorkerFacts,
  pools: Pools,
  now: {
    readonly state: Presence['state'];
    readonly services: boolean;
    readonly loopLagMs: number | null;
    readonly stall: StallMark | null;
    readonly withDefinitions: boolean;
  },
): Presence {
  const { definitions, ...place } = facts;
  return {
    ...place,
    queues: pools.slotsByQueue,
    concurrency: pools.concurrency,
    running: pools.all.reduce((sum, pool) => sum + pool.running, 0),
    state: now.state,
    services: now.services,
    server: false,
    definitions: now.withDefinitions ? definitions : null,
    ...(now.loopLagMs === null ? {} : { loopLagMs: now.loopLagMs }),
    ...(now.stall === null ? {} : { stall: now.stall }),
  };
}
