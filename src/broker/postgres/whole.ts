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
      const claiming = claim(request);
      if (claiming === null) return null;
      const [rows = []] = (await options.driver.writeWhole([claiming])) ?? [];
      return rows.length === 0 ? null : { answer: claiming.read(rows), signals: [], untold: [] };
    },
    settle: createWholeSettle({ ...options, claim }),
  };
}
