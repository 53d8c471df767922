/** Who is connected: how many in all, of one actor, of one browser session and of one address, and whether each may still look. */

import { callerOf } from '../../core/address.ts';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Cancel, Clock } from '../../core/time.ts';
import type { Actor, OperationContext } from '../../operations/operation.ts';
import { isStillLetIn } from '../../operations/still-allowed.ts';

export interface Connection {
  /** It follows so many topics more, or fewer. Throws LIVE_FULL, and then follows none of them. */
  addTopics(difference: number): void;
  /** It is gone. Calling it again does nothing. */
  leave(): void;
}

export interface Connections {
  readonly count: number;
  /** Throws LIVE_FULL. `close` is called when it may not look any more, and when the server closes. */
  enter(from: Pick<OperationContext, 'actor' | 'address'>, close: (why: 'access' | 'closing') => void): Connection;
  close(): void;
}

/** Numbers of connections; the limits without it. */
export interface ConnectionLimits {
  readonly liveConnectionsMax: number;
  readonly livePerActorMax: number;
  readonly livePerSessionMax: number;
  readonly livePerAddressMax: number;
}

export function createConnections(clock: Clock, most: ConnectionLimits = limits): Connections {
  const open = new Set<() => void>();
  const counts = new Map<string, number>();
  const topicCounts = new Map<string, number>();

  /** Of all of them, or of none. */
  function take(owners: readonly Owner[]): void {
    if (open.size >= most.liveConnectionsMax)
      throw taskFlowError('LIVE_FULL', { whose: 'This server', max: most.liveConnectionsMax, what: 'connections' });
    const full = owners.find(({ key, max }) => (counts.get(key) ?? 0) >= max);
    if (full !== undefined) throw taskFlowError('LIVE_FULL', { whose: full.words, max: full.max, what: 'connections' });
    for (const { key } of owners) counts.set(key, (counts.get(key) ?? 0) + 1);
  }

  /** Of all of them, or of none. */
  function takeTopics(owners: readonly Owner[], difference: number): void {
    const next = owners.map((owner) => ({ ...owner, topics: (topicCounts.get(owner.key) ?? 0) + difference }));
    const full = difference > 0 ? next.find(({ topics }) => topics > limits.liveTopicsPerOwnerMax) : undefined;
    if (full !== undefined)
      throw taskFlowError('LIVE_FULL', { whose: full.words, max: limits.liveTopicsPerOwnerMax, what: 'topics' });
    for (const { key, topics } of next) {
      if (topics > 0) topicCounts.set(key, topics);
      else topicCounts.delete(key);
    }
  }

  function giveBack(owners: readonly Owner[]): void {
    for (const { key } of owners) {
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    }
  }

  return {
    get count() {
      return open.size;
    },
    enter({ actor, address }, close) {
      const owners = [ownerOf(actor, most), ...(address === undefined ? [] : [ownerAt(address, most)])];
      take(owners);
      let stopAsking: Cancel = () => {};
      let topics = 0;
      const closeNow = (): void => close('closing');
      const leave = (): void => {
        if (!open.delete(closeNow)) return;
        stopAsking();
        giveBack(owners);
        takeTopics(owners, -topics);
      };
      const addTopics = (difference: number): void => {
        if (!open.has(closeNow)) return;
        takeTopics(owners, difference);
        topics += difference;
      };
      open.add(closeNow);
      if (actor.isStillAllowed !== undefined)
        stopAsking = askAgain(clock, async () => {
          if (await isStillLetIn(actor)) return true;
          close('access');
          return false;
        });
      return { addTopics, leave };
    },
    close() {
      for (const closeNow of [...open]) closeNow();
    },
  };
}

interface Owner {
  readonly key: string;
  readonly words: string;
  readonly max: number;
}

/** The tabs of a browser share what it signed in with. */
function ownerOf({ name, keyId, sessionId }: Actor, most: ConnectionLimits): Owner {
  if (sessionId !== undefined)
    return { key: `browser ${sessionId}`, words: 'This browser', max: most.livePerSessionMax };
  return { key: `actor ${keyId ?? name}`, words: name, max: most.livePerActorMax };
}

function ownerAt(address: string, { livePerAddressMax }: ConnectionLimits): Owner {
  return { key: `address ${callerOf(address)}`, words: 'This address', max: livePerAddressMax };
}

/** Asks again and again until the answer is no. */
function askAgain(clock: Clock, ask: () => Promise<boolean>): Cancel {
  let isCancelled = false;
  let cancel: Cancel = () => {};
  const arm = (): void => {
    cancel = clock.schedule(limits.liveAccessMs, () => {
      void ask().then((goesOn) => {
        if (goesOn && !isCancelled) arm();
      });
    });
  };
  arm();
  return () => {
    isCancelled = true;
    cancel();
  };
}
