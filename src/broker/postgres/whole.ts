/** Steps that Postgres does in one statement: see sql/whole.ts. */

import type { WholeSteps } from '../sql/whole.ts';
import { createWholeClaim } from './whole-claim.ts';
import { createWholeEnqueue, type WholeEnqueueOptions } from './whole-enqueue.ts';
import { createWholeSettle } from './whole-settle.ts';

export function createWholeSteps(options: WholeEnqueueOptions): WholeSteps {
  return {
    enqueue: createWholeEnqueue(options),
    claim: createWholeClaim(options),
    settle: createWholeSettle(options),
  };
}
