/** Whether who was let in may go on: what takes long outlives keys and sessions. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import type { Actor } from './operation.ts';

type Asking = Pick<Actor, 'isStillAllowed'>;

/** A store that is away takes no right away from anybody at once: how long what was known goes on is decided where it is kept. */
export async function isStillLetIn({ isStillAllowed }: Asking): Promise<boolean> {
  try {
    return isStillAllowed === undefined || (await isStillAllowed());
  } catch (error) {
    return error instanceof TaskFlowError && error.retryable;
  }
}

/** Throws UNAUTHENTICATED for who may not any more. */
export async function checkStillLetIn(actor: Asking): Promise<void> {
  if (!(await isStillLetIn(actor)))
    throw taskFlowError('UNAUTHENTICATED', { problem: 'the key was revoked, or the session ended, meanwhile' });
}

/** The same for who goes on and on: however often it is called, it asks no more often than live connections are asked about. */
export function checkAgain(actor: Asking, clock: Pick<Clock, 'elapsed'>): () => Promise<void> {
  let askedAt = clock.elapsed();
  return async () => {
    if (clock.elapsed() - askedAt < limits.liveAccessMs) return;
    askedAt = clock.elapsed();
    await checkStillLetIn(actor);
  };
}
