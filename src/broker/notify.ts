/** Tells other processes what was stored, outside of the transaction that stored it: a notification in it would be one lock for all commits. */

import { type Clock, sleep } from '../core/time.ts';
import type { Signal } from './broker.ts';
import { encodeHints } from './hints.ts';

export interface Notifier {
  /** Sends them at once, or together with all that come before the last ones were sent. */
  tell(signals: readonly Signal[]): void;
  /**
   * What to send for these signals, for who can send it sooner than the notifier would; `null` when something was sent a moment
   * ago: then they are to be told.
   */
  take(signals: readonly Signal[]): string | null;
  /** What was taken last was not sent after all. */
  untake(): void;
  /** Waits for what is on its way. */
  drain(): Promise<void>;
}

/** Between two notifications: a queue where hundreds of tasks a second come needs no more hints. */
export const gapMs = 4;

/** `send` gives the payload to the server. What it cannot send is lost: the poll of the others finds the work. */
export function createNotifier(own: string, clock: Clock, send: (payload: string) => Promise<unknown>): Notifier {
  let waiting: Signal[] = [];
  let sending: Promise<void> | null = null;

  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const signals = waiting;
      waiting = [];
      await send(encodeHints(own, signals)).catch(() => {});
      await sleep(clock, gapMs);
    }
    sending = null;
  };

  const sendLater = async (): Promise<void> => {
    await sleep(clock, gapMs);
    await sendAll();
  };

  return {
    tell(signals) {
      if (signals.length === 0) return;
      waiting.push(...signals);
      sending ??= sendAll();
    },
    take(signals) {
      if (sending !== null) return null;
      sending = sendLater();
      return encodeHints(own, signals);
    },
    untake() {
      sending = null;
    },
    drain: async () => void (await sending),
  };
}
