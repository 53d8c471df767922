/** A worker may forget no claim: until one has brought something, or nothing can come of it any more, only the same one may be sent. */

import type { ClaimRequest, SettleAnswer, Signal } from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { ClaimedTask } from '../../src/core/task.ts';
import type { Watch } from './command-book.ts';

export interface ClaimWatch {
  /** Sees what the worker sends and is answered. */
  readonly watch: Watch;
  /** Sees what it is told. */
  hear(signal: Signal): void;
}

export function watchClaims(tell: Tell): ClaimWatch {
  let unanswered: string | null = null;
  let standing: string | null = null;
  let early: string | null = null;

  const requestOf = (name: string, given: readonly unknown[]): ClaimRequest | undefined =>
    (name === 'claim' ? given[0] : name === 'settle' ? given[1] : undefined) as ClaimRequest | undefined;

  const watch: Watch = (name, given, call) => {
    const request = requestOf(name, given);
    if (request === undefined) return call;
    const { token, workerId, limit, standMs = 0 } = request;
    if (unanswered !== null && unanswered !== token)
      tell('S3', null, `${workerId} claims anew while its claim ${unanswered} was not answered`);
    if (standing !== null && standing !== token)
      tell('S3', null, `${workerId} claims anew while its claim ${standing} stands`);
    unanswered = token;
    return call.then((answer) => {
      if (unanswered !== token) return answer;
      unanswered = null;
      const stands = limit > 0 && standMs > 0 && early !== token && claimedOf(name, answer).length === 0;
      standing = stands ? token : null;
      early = null;
      return answer;
    });
  };

  const hear = (signal: Signal): void => {
    if (signal.kind !== 'handed') return;
    if (signal.token === unanswered) early = signal.token;
    if (signal.token === standing) standing = null;
  };

  return { watch, hear };
}

function claimedOf(name: string, answer: unknown): readonly ClaimedTask[] {
  return name === 'claim' ? (answer as readonly ClaimedTask[]) : (answer as SettleAnswer).claimed;
}
