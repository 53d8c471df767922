/** How long an answer of Postgres is waited for, and what becomes of a connection that gives none. */

import type { Duplex } from 'node:stream';
import { limits } from '../../core/limits.ts';
import { type Clock, scheduleDeadline } from '../../core/time.ts';

/**
 * The answer, or an error about the connection, which is then cut: nothing else tells one whose other end is gone without a word
 * from one that waits. What came while this process stood still counts: the timer of `pg` itself would throw it away unread.
 */
export function inTime<Answer>(
  clock: Clock,
  client: object,
  {
    answer,
    patienceMs = limits.postgresCallMs,
  }: { readonly answer: Promise<Answer>; readonly patienceMs?: number | undefined },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const cancel = scheduleDeadline(clock, patienceMs, () => {
      reject(new Error(`the connection gave no answer within ${patienceMs} ms`));
      streamOf(client).destroy();
    });
    answer.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}

/** `end()` would wait for the answers that do not come. */
function streamOf(client: object): Duplex {
  return (client as { readonly connection: { readonly stream: Duplex } }).connection.stream;
}
