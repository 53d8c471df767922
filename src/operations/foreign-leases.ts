/**
 * Notes in the audit that a worker over HTTP has named the lease of another one. It was refused like one that is over; but whoever does so has
 * words that are not its own, or got another key while its tasks ran.
 */

import { limits } from '../core/limits.ts';
import type { Lease } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import type { HeldTask } from './held-tasks.ts';
import type { OperationContext } from './operation.ts';

export interface ForeignLeases {
  /** At most `limits.foreignLeasesToldMax` rows a minute: nobody can fill the audit with them. */
  note(context: OperationContext, named: NamedLeases): void;
}

export interface NamedLeases {
  /** The operation they were named in. */
  readonly operation: string;
  /** As the worker calls itself, and as the store knows it. */
  readonly worker: string;
  readonly workerId: string;
  readonly leases: readonly Lease[];
  /** The task of each; `null` where it is gone. */
  readonly found: readonly (Held | null)[];
}

type Held = Pick<HeldTask, 'epoch' | 'workerId'>;

const minuteMs = 60_000;

export function createForeignLeases(clock: Pick<Clock, 'elapsed'>): ForeignLeases {
  let from = Number.NEGATIVE_INFINITY;
  let told = 0;

  function isRoom(): boolean {
    if (clock.elapsed() - from >= minuteMs) {
      from = clock.elapsed();
      told = 0;
    }
    told += 1;
    return told <= limits.foreignLeasesToldMax;
  }

  return {
    note({ actor, address, requestId, store }, { operation, worker, workerId, leases, found }) {
      const audit = store.access?.audit;
      if (audit === undefined) return;
      const taskIds = leases.flatMap((lease, at) =>
        isForeign(found[at] ?? null, workerId, lease) ? lease.taskId : [],
      );
      if (taskIds.length === 0 || !isRoom()) return;
      const shown = taskIds.slice(0, limits.namesToldMax);
      const begun = audit.begin({
        actor: actor.name,
        keyId: actor.keyId ?? null,
        address: address ?? null,
        requestId: requestId ?? null,
        operation,
        text: `named the lease of another worker on ${shown.join(', ')}`,
        input: { worker, ids: shown },
        before: null,
      });
      begun.then(
        (id) => audit.end(id, { outcome: 'LEASE_LOST', after: null }),
        // The lease was refused; nothing else depends on the row.
        () => undefined,
      );
    },
  };
}

/** Of a claim that it did not make itself no worker knows the epoch. */
function isForeign(held: Held | null, asking: string, { epoch }: Lease): boolean {
  return held !== null && held.epoch === epoch && held.workerId !== null && held.workerId !== asking;
}
