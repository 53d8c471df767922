/** Signals of one broker: told to its own process at once, to the others together, and heard from them once somebody listens. */

import type { Clock } from '../../core/time.ts';
import type { Broker } from '../broker.ts';
import type { HandOver } from '../hand-over.ts';
import { createNotifier } from '../notify.ts';
import { createSubscribers } from '../subscribers.ts';
import type { Connection } from './connection.ts';
import { type Told, untold } from './signals.ts';

export interface News {
  readonly subscribe: Broker['subscribe'];
  tell(told: Told<unknown>): void;
  /** For an enqueue that begins: `null` when no worker here wants anything. */
  handOver(): HandOver | null;
  /** There is a server now. */
  begin(): void;
  /** Nobody hears anything any more. */
  silence(): void;
  /** Sends what is left, and ends. */
  end(): Promise<void>;
}

export function createNews(connection: Connection, clock: Clock): News {
  const { own } = connection;
  const subscribers = createSubscribers();
  const notifier = createNotifier(own, clock, connection.publish);
  let hasBegun = false;
  let stop: (() => void) | null = null;

  const listen = (): void => {
    if (hasBegun && !subscribers.isEmpty) stop ??= connection.listen(subscribers.emit);
  };

  return {
    subscribe(listener, taker) {
      const unsubscribe = subscribers.subscribe(listener, taker);
      listen();
      return unsubscribe;
    },
    tell(told) {
      for (const signal of told.signals) subscribers.emit(signal);
      notifier.tell(untold(told));
    },
    handOver: subscribers.handOver,
    begin() {
      hasBegun = true;
      listen();
    },
    silence: subscribers.clear,
    async end() {
      hasBegun = false;
      stop?.();
      await notifier.drain();
    },
  };
}
