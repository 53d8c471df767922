/** The end of a whole flow: of the task that stands for it, of its steps, and of what comes to it later. */

import type { Broker, CancelResult } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';

/**
 * Cancels the flow of this task, in as many calls as it needs; the first one keeps the wish, so that nothing new begins
 * meanwhile. Answers what became of the task itself: `forbidden`, and nothing is done, where some of it is unfinished in a queue that the
 * patterns do not reach; `null` is all.
 */
export async function cancelFlow(
  broker: Pick<Broker, 'cancel'>,
  flowId: string,
  { reason, queues = null }: { readonly reason: string | null; readonly queues?: readonly string[] | null },
): Promise<CancelResult | undefined> {
  const flow = { flowId, reason, ...(queues !== null && { reach: queues }) };
  const [own, ...members] = await broker.cancel({ taskIds: [flowId], ...flow });
  let last: readonly CancelResult[] = members;
  // A task that runs is asked again by each call: only what was ended counts as getting on.
  while (last.length >= limits.flowCancelMax && last.some(({ outcome }) => outcome === 'cancelled'))
    last = await broker.cancel({ taskIds: [], ...flow });
  return own;
}
