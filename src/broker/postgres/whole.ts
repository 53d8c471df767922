/** Steps that Postgres does in one statement: see sql/whole.ts. */

import type { StandingClaims } from '../sql/standing.ts';
import type { WholeSteps } from '../sql/whole.ts';
import { createWholeClaim } from './whole-claim.ts';
import { createWholeEnqueue, type WholeEnqueueOptions } from './whole-enqueue.ts';
import { createWholeSettle } from './whole-settle.ts';

export interface WholeStepsOptions extends WholeEnqueueOptions {
  readonly standing: StandingClaims;
}

export function createWholeSteps(options: WholeStepsOptions): WholeSteps {
  const { standing } = options;
  const claim = createWholeClaim(options);
  return {
    standing,
    enqueue: createWholeEnqueue(options),
    async claim(request) {
      const claiming = claim(request);
      if (claiming === null) return null;
      const [rows = []] = (await options.driver.writeWhole([claiming], { before: standing.leaving(request) })) ?? [];
      return rows.length === 0 ? null : { answer: claiming.read(rows), signals: [], untold: [] };
    },
    settle: createWholeSettle({ ...options, claim }),
  };
}
