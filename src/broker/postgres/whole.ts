/** Steps that Postgres does in one statement: see sql/whole.ts. */

import type { WholeSteps } from '../sql/whole.ts';
import { createWholeClaim } from './whole-claim.ts';
import { createWholeEnqueue, type WholeEnqueueOptions } from './whole-enqueue.ts';
import { createWholeSettle } from './whole-settle.ts';

export function createWholeSteps(options: WholeEnqueueOptions): WholeSteps {
  const claim = createWholeClaim(options);
  return {
    enqueue: createWholeEnqueue(options),
    async claim(request) {
      const asked = claim.ask(request);
      const [rows = []] = (asked && (await options.driver.writeWhole([asked]))) ?? [];
      return rows.length === 0 ? null : { answer: claim.read(rows, request), signals: [], untold: [] };
    },
    settle: createWholeSettle({ ...options, claim }),
  };
}
