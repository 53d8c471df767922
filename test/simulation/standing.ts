/** Claims that found nothing stand, and enqueues make them: as in Redis, over every store and by a network that loses what is told. */

import type { ClaimRequest, SettleAnswer } from '../../src/broker/broker.ts';
import type { ClaimedTask } from '../../src/core/task.ts';
import type { SimProcess } from './sim-process.ts';
import type { Timeline } from './timeline.ts';
import type { Method, Witness } from './witness.ts';

/** What a process is told once its claim was made. */
export interface Handed {
  readonly process: SimProcess;
  readonly token: string;
  readonly claimed: readonly ClaimedTask[];
}

export interface Standing {
  /** Executes at the store, which knows nothing of claims that stand. */
  execute(process: SimProcess, method: Method, given: readonly unknown[]): Promise<unknown>;
  /** So many tasks were queued there: whom they were given to, if somebody's claim stands. */
  handOver(queues: ReadonlySet<string>, count: number): Promise<Handed | null>;
}

/** As `limits.handOverMax`, so that some enqueues are too large. */
const countMax = 4;

export function createStanding({ timeline, witness }: { timeline: Timeline; witness: Witness }): Standing {
  const claims = new Map<SimProcess, { readonly request: ClaimRequest; readonly until: number }>();

  async function execute(process: SimProcess, method: Method, given: readonly unknown[]): Promise<unknown> {
    const at = ['claim', 'settle'].indexOf(method);
    const request = given[at] as ClaimRequest | undefined;
    if (request === undefined) return witness.execute(method, given);
    const { standMs = 0, ...plain } = request;
    const answer = await witness.execute(method, given.with(at, plain));
    const claimed = method === 'claim' ? (answer as readonly ClaimedTask[]) : (answer as SettleAnswer).claimed;
    claims.delete(process);
    if (claimed.length === 0 && plain.limit > 0 && standMs > 0)
      claims.set(process, { request: plain, until: timeline.now + standMs });
    return answer;
  }

  async function handOver(queues: ReadonlySet<string>, count: number): Promise<Handed | null> {
    if (count === 0 || count > countMax) return null;
    for (const [process, { request, until }] of claims) {
      const demands = request.queues.filter(({ name }) => queues.has(name));
      if (demands.length === 0) continue;
      claims.delete(process);
      if (until <= timeline.now || !process.isAlive) continue;
      const narrow = { ...request, limit: Math.min(request.limit, count), queues: demands };
      const claimed = (await witness.execute('claim', [narrow])) as readonly ClaimedTask[];
      return claimed.length === 0 ? null : { process, token: request.token, claimed };
    }
    return null;
  }

  return { execute, handOver };
}
