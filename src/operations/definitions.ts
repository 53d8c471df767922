/** Which tasks are known, and what of them: those of this process, else those that living workers publish. */

import type { Broker } from '../broker/broker.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { limits } from '../core/limits.ts';
import { nearest } from '../core/nearest.ts';
import type { Definition, WorkerRecord } from '../core/presence.ts';
import type { IfExists } from '../core/task.ts';
import type { Clock } from '../core/time.ts';

/** A definition as an enqueue by name needs it. */
export interface KnownDefinition extends Definition {
  readonly ifExists: IfExists;
  /** Validates with the code itself; `null` when only the published JSON Schema is at hand. */
  readonly parseInput: ((input: unknown) => Promise<unknown>) | null;
}

/** The known definitions. What workers publish may be {@link cacheMs} old. */
export interface Definitions {
  find(name: string): Promise<KnownDefinition | null>;
  /** The known name nearest to one that is not known, or `null`. */
  nearest(name: string): Promise<string | null>;
  all(): Promise<readonly KnownDefinition[]>;
}

/** Long enough that a burst of enqueues reads the workers once, short enough that nobody waits for a new task to be known. */
const cacheMs = 1_000;

/**
 * Definitions of this process (they win) and of the workers that beat within `limits.presenceMs`; of two workers with
 * different versions the one that started last speaks.
 */
export function createDefinitions(broker: Broker, clock: Clock, local: readonly TaskDefinition[] = []): Definitions {
  const own = new Map(local.map((definition) => [definition.name, fromCode(definition)]));
  let cached: { readonly known: Promise<ReadonlyMap<string, KnownDefinition>>; readonly atMs: number } | null = null;

  async function load(): Promise<ReadonlyMap<string, KnownDefinition>> {
    const [info, workers] = await Promise.all([broker.info(), broker.getWorkers()]);
    const living = workers.filter((worker) => isAlive(worker, info.now)).sort((a, b) => a.startedAt - b.startedAt);
    const published = living.flatMap((worker) => worker.definitions.map(fromWorker));
    return new Map([...published.map((definition) => [definition.name, definition] as const), ...own]);
  }

  function known(): Promise<ReadonlyMap<string, KnownDefinition>> {
    const nowMs = clock.elapsed();
    if (cached !== null && nowMs - cached.atMs < cacheMs) return cached.known;
    const loading = load();
    cached = { known: loading, atMs: nowMs };
    // A failed look is not remembered: the next caller tries again.
    loading.catch(() => {
      if (cached?.known === loading) cached = null;
    });
    return loading;
  }

  return {
    find: async (name) => own.get(name) ?? (await known()).get(name) ?? null,
    nearest: async (name) => nearest(name, (await known()).keys()),
    all: async () => [...(await known()).values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Whether a process has beaten lately enough to count on it. */
export function isAlive(worker: WorkerRecord, now: number): boolean {
  return worker.state !== 'stopped' && now - worker.beatAt <= limits.presenceMs;
}

function fromCode(definition: TaskDefinition): KnownDefinition {
  const { name, description, queue, inputSchema, schemaVersion, policy, timeoutMs, key, keyForMs, group, ifExists } = definition;
  return {
    name, description, queue, inputSchema, schemaVersion, policy, timeoutMs, key, keyForMs, group, ifExists,
    file: null,
    parseInput: (input) => definition.parseInput(input),
  };
}

function fromWorker(definition: Definition): KnownDefinition {
  return { ...definition, ifExists: 'return', parseInput: null };
}
