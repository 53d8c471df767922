/** Who is connected: how many in all, of one actor and of one browser session, and whether each may still look. */

import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Cancel, Clock } from '../../core/time.ts';
import type { Actor } from '../../operations/operation.ts';

export interface Connection {
  /** It is gone. Calling it again does nothing. */
  leave(): void;
}

export interface Connections {
  readonly count: number;
  /** Throws LIVE_FULL. `close` is called when it may not look any more, and when the server closes. */
  enter(actor: Actor, close: (why: 'access' | 'closing') => void): Connection;
  close(): void;
}

/** Numbers of connections; the limits without it. */
export interface ConnectionLimits {
  readonly liveConnectionsMax: number;
  readonly livePerActorMax: number;
  readonly livePerSessionMax: number;
}

export function createConnections(clock: Clock, most: ConnectionLimits = limits): Connections {
  const open = new Set<() => void>();
  const counts = new Map<string, number>();

  function take(owner: Owner): void {
    const count = counts.get(owner.key) ?? 0;
    if (open.size >= most.liveConnectionsMax)
      throw taskFlowError('LIVE_FULL', { whose: 'This server', max: most.liveConnectionsMax });
    if (count >= owner.max) throw taskFlowError('LIVE_FULL', { whose: owner.words, max: owner.max });
    counts.set(owner.key, count + 1);
  }

  function giveBack({ key }: Owner): void {
    const left = (counts.get(key) ?? 1) - 1;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  }

  return {
    get count() {
      return open.size;
    },
    enter(actor, close) {
      const owner = ownerOf(actor, most);
      take(owner);
      let stopAsking: Cancel = () => {};
      const closeNow = (): void => close('closing');
      const leave = (): void => {
        if (!open.delete(closeNow)) return;
        stopAsking();
        giveBack(owner);
      };
      open.add(closeNow);
      const { isStillAllowed } = actor;
      if (isStillAllowed !== undefined)
        stopAsking = askAgain(clock, async () => {
          if (await mayStill(isStillAllowed)) return true;
          close('access');
          return false;
        });
      return { leave };
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

/** A store that is away takes no right away from anybody at once: how long what was known goes on is decided where it is kept. */
async function mayStill(isStillAllowed: () => Promise<boolean>): Promise<boolean> {
  try {
    return await isStillAllowed();
  } catch (error) {
    return error instanceof TaskFlowError && error.retryable;
  }
}
