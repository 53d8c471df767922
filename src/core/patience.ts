/** Waiting no longer than the answer is worth, for who has something to say without it. */

import { taskFlowError } from './errors.ts';
import { type Clock, scheduleDeadline } from './time.ts';

/** The answer, or STORE_UNREACHABLE when it has not come `forMs` later. Whoever gives it is not stopped by that. */
export function within<Answer>(clock: Clock, forMs: number, answer: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cancel = scheduleDeadline(clock, forMs, () =>
      reject(taskFlowError('STORE_UNREACHABLE', { problem: `no answer within ${forMs} ms` })),
    );
    answer.then(resolve, reject).finally(cancel);
  });
}
