/** Waits of handlers for other tasks: as a client over HTTP does, by requests that the server holds and by its live updates. */

import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import type { Clock } from '../../core/time.ts';
import type { ResultsMessage } from '../../core/worker-protocol.ts';
import { followLive } from '../../remote/follow-live.ts';
import { createResultWaits } from '../../remote/result-waits.ts';
import type { Broker } from '../broker.ts';
import { type Calls, forbidden, readServerToken } from './calls.ts';
import { readEnd } from './messages.ts';

export interface Waits extends Required<Pick<Broker, 'finished'>> {
  /** Ends those that wait, with STORE_CLOSED. */
  close(): void;
}

export interface WaitsOptions {
  readonly server: string;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** While nobody waits it holds no timer and no connection. */
export function createWaits({ server, calls, clock, chance }: WaitsOptions): Waits {
  const closing = new AbortController();
  const waits = createResultWaits({
    clock,
    many: (taskIds, waitMs, signal) => {
      const query = { ids: taskIds.join(','), ...(waitMs > 0 && { wait: `${waitMs}ms` }) };
      return calls.get<ResultsMessage>('tasks/results', query, { ...forbidden, waitMs, signal });
    },
    follow: (options) =>
      followLive({
        ...options,
        ...{ url: server, clock, chance },
        // The key is read each time, so that it can be replaced, and goes to the server it is for.
        fetch: (address, init) => {
          const token = readServerToken();
          const key = token === null ? {} : { authorization: `Bearer ${token}` };
          return fetch(address, { ...init, redirect: 'error', headers: { ...(init?.headers as object), ...key } });
        },
      }),
  });
  return {
    async finished(taskId, timeoutMs, signal) {
      const signals = signal === undefined ? [closing.signal] : [closing.signal, signal];
      return readEnd(await waits.finished(taskId, timeoutMs, AbortSignal.any(signals)));
    },
    close: () => closing.abort(taskFlowError('STORE_CLOSED')),
  };
}
