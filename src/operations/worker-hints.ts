/** Wakes requests of workers over HTTP that wait for something: one subscription of the store for all of them. */

import type { Broker, Signal } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Cancel, Clock } from '../core/time.ts';

/** What a worker may want to hear before its next heartbeat. */
export interface WorkerNews {
  /** Tasks of which somebody asked to cancel the run, whoever runs them. */
  readonly cancel: readonly string[];
  /** Whether commands may wait for it. */
  readonly commands: boolean;
}

/** Waits for one kind of hint. What came since the last wait ends the next one at once. */
export interface Waiting {
  /** Resolves on a hint, after `forMs`, or when nobody wants to know any more. */
  wait(forMs: number, signal?: AbortSignal): Promise<void>;
  end(): void;
}

export interface WorkerHints {
  /** Waits for work in these queues. Throws CLAIMS_OVERLOADED. */
  work(queues: readonly string[]): Waiting;
  /** Waits for news of this worker, and takes what came. Throws CLAIMS_OVERLOADED. */
  news(workerId: string): Waiting & { take(): WorkerNews };
  /** Nobody waits from now on: the server stops. */
  end(): void;
  readonly hasEnded: boolean;
  /** How many requests wait. */
  readonly waiting: number;
}

interface Waiter {
  /** Whether the hint is for it. */
  hears(signal: Signal): boolean;
  rung: boolean;
  wake(): void;
}

/** Requests to cancel that one worker is told of at once; its heartbeat has the others. */
const cancelsMax = 1_000;

export function createWorkerHints(broker: Pick<Broker, 'subscribe'>, clock: Clock): WorkerHints {
  const waiters = new Set<Waiter>();
  let isSubscribed = false;
  let ended = false;

  function hear(signal: Signal): void {
    for (const waiter of waiters) {
      if (!waiter.hears(signal)) continue;
      waiter.rung = true;
      waiter.wake();
    }
  }

  function add(hears: Waiter['hears']): Waiting {
    if (waiters.size >= limits.claimsWaitingMax)
      throw taskFlowError('CLAIMS_OVERLOADED', { max: limits.claimsWaitingMax });
    if (!isSubscribed) {
      isSubscribed = true;
      broker.subscribe(hear);
    }
    const waiter: Waiter = { hears, rung: false, wake: () => undefined };
    waiters.add(waiter);
    return {
      async wait(forMs, signal) {
        if (!waiter.rung && !ended && signal?.aborted !== true) await sleepUnless(waiter, forMs, signal);
        waiter.rung = false;
      },
      end: () => void waiters.delete(waiter),
    };
  }

  function sleepUnless(waiter: Waiter, forMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        signal?.removeEventListener('abort', wake);
        waiter.wake = () => undefined;
        resolve();
      };
      const cancel: Cancel = clock.schedule(forMs, wake);
      waiter.wake = wake;
      signal?.addEventListener('abort', wake, { once: true });
    });
  }

  return {
    work(queues) {
      const wanted = new Set(queues);
      return add((signal) => signal.kind === 'work' && (signal.queues?.some((queue) => wanted.has(queue)) ?? true));
    },
    news(workerId) {
      let cancels: string[] = [];
      let commands = false;
      const waiting = add((signal) => {
        if (signal.kind === 'cancel') {
          cancels = [...cancels, ...signal.taskIds].slice(-cancelsMax);
          return true;
        }
        if (signal.kind !== 'command' || signal.workerIds?.includes(workerId) === false) return false;
        commands = true;
        return true;
      });
      return { ...waiting, take: () => ({ cancel: cancels, commands }) };
    },
    end() {
      ended = true;
      for (const waiter of waiters) waiter.wake();
    },
    get hasEnded() {
      return ended;
    },
    get waiting() {
      return waiters.size;
    },
  };
}
