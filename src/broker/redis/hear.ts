/** Hears what other processes have stored: one connection that subscribes, made anew whenever it is gone. */

import type { Chance } from '../../core/chance.ts';
import type { Clock } from '../../core/time.ts';
import type { Signal } from '../broker.ts';
import { anything, decodeHints } from '../hints.ts';
import { readHanded } from './claim.ts';
import { isForbidden } from './errors.ts';
import { createLink } from './link.ts';
import type { Way } from './way.ts';

export interface HearOptions {
  readonly way: Way;
  /** Of the shard that has the namespace: a cluster sends it to no other node. */
  readonly channel: string;
  /** Whose messages are not needed. */
  readonly own: string;
  readonly emit: (signal: Signal) => void;
  readonly clock: Clock;
  readonly chance: Chance;
}

export interface Hearing {
  /** Whether claims that stand would be told of what they were given. */
  readonly isHearing: boolean;
  close(): void;
}

/** Begins to listen. Failing to is no error: the poll goes on. */
export function hear({ way, channel, own, emit, clock, chance }: HearOptions): Hearing {
  const ownChannel = `${channel}:${own}`;
  let isAllowed = true;
  const emitAll = (signals: readonly Signal[]): void => {
    for (const signal of signals) emit(signal);
  };
  let tries = 0;
  const link = createLink({
    way: {
      ...way,
      create: () => {
        tries += 1;
        return way.create();
      },
    },
    clock,
    chance,
    // Not a ping: a node of a cluster that gives the namespace away ends the subscription, and the connection goes on.
    look: (client) => (isAllowed ? client.ssubscribe(channel, ownChannel) : client.ssubscribe(channel)),
    greet: async (client) => {
      client.on('smessageBuffer', (from: Buffer, message: Buffer) => {
        if (String(from) === ownChannel) emitAll(decodeHanded(message));
        else emitAll(decodeHints(String(message), own));
      });
      await client.ssubscribe(channel);
      isAllowed = await client.ssubscribe(ownChannel).then(() => true, whetherForbidden);
      // Whatever was told in between nobody has heard: also what is told while the server cuts off who reads too slowly.
      if (tries > 1) emitAll(anything);
    },
  });
  link.start();
  return {
    get isHearing() {
      return isAllowed && link.client !== null;
    },
    close: link.close,
  };
}

/** Whoever may write on the channel may write anything: what is no answer to a claim is at most a hint to send that again. */
function decodeHanded(message: Buffer): readonly Signal[] {
  try {
    return [readHanded(message)];
  } catch {
    return anything;
  }
}

/** A rule of access may let a process hear what all are told, and nothing that is for it alone. */
function whetherForbidden(error: unknown): boolean {
  if (isForbidden(error)) return false;
  throw error;
}
