/** What is done to a store behind a network: to the way there, and to its server when that is our own. */

import { type Clock, sleep } from '../core/time.ts';
import type { Fault, FaultProxy } from '../servers/fault-proxy.ts';
import type { Server } from '../servers/throw-away.ts';
import type { Ground } from './ground.ts';
import type { FaultKind } from './plan.ts';

export interface StoreFaultsOptions {
  readonly proxy: FaultProxy;
  /** Ours alone; `null` when the store was given. */
  readonly server: Server | null;
  /** What only this kind of server can suffer. Takes it back by itself. */
  readonly ofServer: (kind: FaultKind, ms: number) => Promise<boolean>;
  /** Matches the request with which a call is done. */
  readonly request: RegExp;
  readonly clock: Clock;
}

/** How long a cut waits for its call, and which of the next it takes at most. */
const cutWithinMs = 3_000;
const cutAmong = 20;

/** Strikes one at a time what lies on the same way, each healed before the next. */
export function createStoreFaults(options: StoreFaultsOptions): Pick<Ground, 'strike' | 'heal'> {
  const { proxy, server, clock } = options;
  let before: Promise<unknown> = Promise.resolve();

  const inTurn = (work: () => Promise<boolean>): Promise<boolean> => {
    const turn = before.then(work);
    before = turn.catch(() => undefined);
    return turn;
  };

  const inflict = async (fault: Fault, ms: number): Promise<boolean> => {
    const hits = proxy.hits();
    proxy.inflict(fault);
    await sleep(clock, ms);
    proxy.inflict({ kind: 'none' });
    return proxy.hits() > hits;
  };

  const cut = async (roll: number): Promise<boolean> => {
    const hits = proxy.hits();
    const nth = 1 + Math.floor(roll * cutAmong);
    proxy.inflict({ kind: 'cutAt', request: options.request, nth, executed: (roll * 100) % 1 < 0.7 });
    for (let waitedMs = 0; waitedMs < cutWithinMs && proxy.hits() === hits; waitedMs += 50) await sleep(clock, 50);
    proxy.inflict({ kind: 'none' });
    return proxy.hits() > hits;
  };

  const kill = async (ms: number): Promise<boolean> => {
    if (server === null) return false;
    await server.kill();
    await sleep(clock, ms);
    await server.restart();
    return true;
  };

  const freeze = async (ms: number): Promise<boolean> => {
    server?.freeze();
    await sleep(clock, ms);
    server?.thaw();
    return server !== null;
  };

  const strike: Ground['strike'] = (kind, ms, roll) => {
    switch (kind) {
      case 'outage':
        // Who is refused has left no trace: it has happened all the same.
        return inTurn(() => inflict({ kind: 'refuse' }, ms).then(() => true));
      case 'silence':
        return inTurn(() => inflict({ kind: 'silence', of: roll < 0.5 ? 'both' : 'replies' }, ms));
      case 'slowNetwork':
        return inTurn(() => inflict({ kind: 'delay', ms: 10, jitterMs: 40 }, ms));
      case 'loseReply':
        return inTurn(() => cut(roll));
      case 'resetConnections':
        return Promise.resolve(proxy.reset() > 0);
      case 'killStore':
        return inTurn(() => kill(ms));
      case 'freezeStore':
        return inTurn(() => freeze(ms));
      default:
        // A server that is away just then suffers nothing more.
        return inTurn(() => options.ofServer(kind, ms));
    }
  };

  return {
    strike,
    heal: async () => {
      // What waits for its turn was drawn, and is done: without it the run would have proved less than its plan says.
      for (let last: unknown = null; last !== before; ) {
        last = before;
        await before;
      }
    },
  };
}
