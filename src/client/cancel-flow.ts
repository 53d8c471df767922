/** The end of a whole flow: of the task that stands for it, of its steps, and of what comes to it later. */

import type { Broker, CancelResult } from '../broker/broker.ts';
import { reachesQueue } from '../core/access.ts';
import type { Filter } from '../core/filter.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { limits } from '../core/limits.ts';

/**
 * Cancels the flow of this task, in as many calls as it needs; the first one keeps the wish, so that nothing new begins
 * meanwhile. Answers what became of the task itself.
 */
export async function cancelFlow(
  broker: Pick<Broker, 'cancel'>,
  flowId: string,
  reason: string | null,
): Promise<CancelResult | undefined> {
  const [own, ...members] = await broker.cancel({ taskIds: [flowId], flowId, reason });
  let last: readonly CancelResult[] = members;
  // A task that runs is asked again by each call: only what was ended counts as getting on.
  while (last.length >= limits.flowCancelMax && last.some(({ outcome }) => outcome === 'cancelled'))
    last = await broker.cancel({ taskIds: [], flowId, reason });
  return own;
}

/** What tells the tasks of a flow: the record. */
export interface FlowSearch {
  search(
    filter: Filter,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<{
    readonly tasks: readonly { readonly queue: string }[];
    readonly next: string | null;
    readonly scanned: 'all' | 'newest';
  }>;
}

/**
 * Whether every task of the flow, as far as it is recorded, is in a queue of the patterns. A flow too large to be looked through is
 * taken for one that has others.
 */
export async function reachesFlow(
  history: FlowSearch,
  flowId: string,
  queues: readonly string[] | null,
): Promise<boolean> {
  if (queues === null) return true;
  const filter = parseFilter(`flow:${flowId}`);
  let after: string | null = null;
  for (let seen = 0; seen < limits.flowCancelMax; seen += limits.pageMax) {
    const page = await history.search(filter, { after, limit: limits.pageMax });
    if (page.scanned !== 'all' || page.tasks.some(({ queue }) => !reachesQueue(queues, queue))) return false;
    if (page.next === null) return true;
    after = page.next;
  }
  return false;
}
