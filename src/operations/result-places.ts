/** Who waits for results at a server, and for how many tasks: bounded in all, and for each caller, so that none takes all places. */

import { taskFlowError } from '../core/errors.ts';
import { type Limits, limits } from '../core/limits.ts';
import type { OperationContext } from './operation.ts';

export interface ResultPlaces {
  /**
   * Counts a request that waits for so many tasks, until what it answers is called. Throws TOO_MANY_WAITS where its caller has as many as one may have,
   * WAITS_FULL where all together have.
   */
  take(caller: Caller, tasks: number): () => void;
}

/** A key with its sessions, who is signed in, or where neither is asked for, an address. */
export type Caller = Pick<OperationContext, 'actor' | 'address'>;

export type ResultPlaceLimits = Pick<
  Limits,
  'resultAsksMax' | 'resultAsksPerCallerMax' | 'resultTasksMax' | 'resultTasksPerCallerMax'
>;

interface Taken {
  requests: number;
  tasks: number;
}

export function createResultPlaces(most: ResultPlaceLimits = limits): ResultPlaces {
  const all: Taken = { requests: 0, tasks: 0 };
  const byCaller = new Map<string, Taken>();
  return {
    take(caller, tasks) {
      const key = keyOf(caller);
      const own = byCaller.get(key) ?? { requests: 0, tasks: 0 };
      const ownFull = full(own, tasks, [most.resultAsksPerCallerMax, most.resultTasksPerCallerMax]);
      if (ownFull !== null) throw taskFlowError('TOO_MANY_WAITS', { actor: caller.actor.name, ...ownFull });
      const allFull = full(all, tasks, [most.resultAsksMax, most.resultTasksMax]);
      if (allFull !== null) throw taskFlowError('WAITS_FULL', allFull);
      for (const taken of [own, all]) add(taken, 1, tasks);
      byCaller.set(key, own);
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        for (const taken of [own, all]) add(taken, -1, -tasks);
        if (own.requests === 0) byCaller.delete(key);
      };
    },
  };
}

/** What there would be too many of. */
function full(
  { requests, tasks }: Taken,
  more: number,
  [requestsMax, tasksMax]: readonly [requestsMax: number, tasksMax: number],
): { readonly max: number; readonly what: string } | null {
  if (requests >= requestsMax) return { max: requestsMax, what: 'requests' };
  return tasks + more > tasksMax ? { max: tasksMax, what: 'tasks' } : null;
}

function add(taken: Taken, requests: number, tasks: number): void {
  taken.requests += requests;
  taken.tasks += tasks;
}

function keyOf({ actor: { keyId, sessionId, name }, address }: Caller): string {
  return keyId ?? sessionId ?? address ?? name;
}
