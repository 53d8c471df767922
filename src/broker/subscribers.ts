/** Who listens to a broker in this process, and who takes what is enqueued here. */

import type { Broker, Signal, Taker } from './broker.ts';
import { type HandOver, openHandOver } from './hand-over.ts';

export interface Subscribers {
  readonly subscribe: Broker['subscribe'];
  /** How many signals were sent. */
  readonly signals: number;
  readonly isEmpty: boolean;
  emit(signal: Signal): void;
  /** For an enqueue that begins: `null` when nobody wants anything. */
  handOver(): HandOver | null;
  clear(): void;
}

export function createSubscribers(): Subscribers {
  const listeners = new Set<(signal: Signal) => void>();
  const takers = new Set<Taker>();
  let signals = 0;
  return {
    get signals() {
      return signals;
    },
    get isEmpty() {
      return listeners.size === 0;
    },
    subscribe(listener, taker) {
      const own = (signal: Signal): void => listener(signal);
      listeners.add(own);
      if (taker !== undefined) takers.add(taker);
      return () => {
        listeners.delete(own);
        if (taker !== undefined) takers.delete(taker);
      };
    },
    emit(signal) {
      signals += 1;
      // On their own turn: a listener that throws must not fail the call that was done.
      for (const listener of listeners) queueMicrotask(() => listener(signal));
    },
    handOver: () => openHandOver(takers),
    clear() {
      listeners.clear();
      takers.clear();
    },
  };
}
