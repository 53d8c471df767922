/** An attempt without a worker around it, for tests of what it is handed to. */

import type { ClaimedTask } from '../../src/core/task.ts';
import { Attempt } from '../../src/worker/attempt.ts';
import { createPools } from '../../src/worker/pools.ts';

/** The second attempt of task T1, which nobody's deadline or stray error concerns. */
export function createAttempt(): Attempt {
  const task = { id: 'T1', name: 'a', queue: 'q', attempt: 2, generation: 3, epoch: 7 };
  const claimed = {
    task,
    lease: { taskId: 'T1', token: 't', epoch: 1 },
    runMs: null,
    boundByLife: false,
    parents: [],
  } as unknown as ClaimedTask;
  return new Attempt(claimed, createPools(['q'], 1).of('q'), 0, 0, 1_000, {
    expire() {},
    stray() {},
    redactionOf: () => null,
  });
}
