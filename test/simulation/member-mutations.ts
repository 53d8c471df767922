/** Planted bugs of those who use the store: workers, servers and producers. */

import type { Broker, ClaimRequest, Offer } from '../../src/broker/broker.ts';
import { createToken } from '../../src/core/chance.ts';
import { limits } from '../../src/core/limits.ts';
import type { Checkpoint } from '../../src/core/task.ts';
import type { Mutation } from './mutation.ts';

export const memberMutations: readonly Mutation[] = [
  {
    name: 'claim-retried-anew',
    says: 'after a lost reply a worker claims under a new token',
    member: (broker, { chance }) => {
      const anew = (request: ClaimRequest): ClaimRequest => ({ ...request, token: createToken(chance) });
      return {
        claim: (request) => broker.claim(anew(request)),
        settle: (settlements, claimNext) =>
          broker.settle(settlements, claimNext === undefined ? undefined : anew(claimNext)),
      };
    },
  },
  {
    name: 'hints-without-poll',
    says: 'a worker claims only when a hint comes',
    member: (broker) => hintedOnly(broker),
  },
  {
    name: 'stale-connection-kept',
    says: 'a worker that is given nothing on its connection goes on asking on it',
    member: (broker) => goesStale(broker, null),
  },
  {
    name: 'beats-only-at-start',
    says: 'a worker sends no heartbeat for what it runs after the first ones',
    member: (broker) => {
      let beats = 0;
      return {
        heartbeat: async (request) =>
          ++beats < 3
            ? broker.heartbeat(request)
            : { now: 0, beats: request.beats.map(() => 'ok' as const), commands: [], noServer: false },
      };
    },
  },
  {
    name: 'step-kept-early',
    says: 'a step resolves before the store has it',
    // Whoever dies between the two has promised too much.
    swarm: { crashEveryMs: 3_000 },
    member: (broker) => {
      const held = new Map<string, readonly Checkpoint[]>();
      return {
        heartbeat: (request) => {
          const beats = request.beats.map((beat) => {
            const late = held.get(beat.lease.token) ?? [];
            held.set(beat.lease.token, beat.checkpoints);
            return { ...beat, checkpoints: late };
          });
          return broker.heartbeat({ ...request, beats });
        },
      };
    },
  },
  {
    name: 'stop-before-the-end',
    says: 'a stop resolves while calls are under way',
    swarm: { stopEveryMs: 5_000, workers: 3 },
    stop: async (stop) => {
      void stop();
    },
  },
  {
    name: 'reaper-looks-once',
    says: 'a reaper looks when it starts and never again',
    swarm: { servers: 1, crashEveryMs: 8_000 },
    member: (broker) => {
      let looks = 0;
      return { claimOverdue: async (request) => (looks++ === 0 ? broker.claimOverdue(request) : []) };
    },
  },
  {
    name: 'reaper-kills-the-living',
    says: 'the reaper takes every worker for dead',
    member: (broker) => ({
      claimOverdue: async (request) => {
        const workers = await broker.getWorkers();
        return broker.claimOverdue({ ...request, deadWorkers: workers.map(({ workerId }) => workerId) });
      },
    }),
  },
  {
    name: 'enqueue-with-new-id',
    says: 'a producer repeats a call under a new id',
    beforeRepeat: (task, nextId) => ({ ...task, id: nextId() }),
  },
  {
    name: 'drain-ignored',
    says: 'a worker confirms that it drains and goes on claiming',
    swarm: { people: 3, workers: 3 },
    member: (broker) => {
      let heard = 0;
      return {
        heartbeat: async (request) => {
          const answer = await broker.heartbeat({ ...request, heard: Math.max(heard, request.heard ?? 0) });
          heard = Math.max(heard, ...answer.commands.map(({ id }) => id));
          return { ...answer, commands: answer.commands.filter(({ command }) => command.kind !== 'drain') };
        },
      };
    },
  },
  {
    name: 'hand-over-forgotten',
    says: 'a worker takes an enqueue that failed for one that had nothing for it',
    member: (broker) => ({
      // Where claims stand the same token is sent again in any case.
      keepsClaims: false,
      subscribe: (listener, taker) =>
        broker.subscribe(listener, () => {
          const offer = taker?.() ?? null;
          return offer === null ? null : { ...offer, failed: () => offer.taken([]) };
        }),
    }),
  },
  {
    name: 'stand-forgotten',
    says: 'a worker whose claim stands claims under another token',
    member: (broker) => {
      const stands = (request: ClaimRequest): ClaimRequest => ({ ...request, standMs: limits.standMs });
      return {
        keepsClaims: false,
        claim: (request) => broker.claim(stands(request)),
        settle: (settlements, claimNext) => broker.settle(settlements, claimNext && stands(claimNext)),
      };
    },
  },
  {
    name: 'lease-cut',
    says: 'a lease is shorter than its worker believes',
    member: (broker) => ({
      claim: (request) => broker.claim({ ...request, leaseMs: limits.leaseMinMs / 10 }),
    }),
  },
];

/** Answers no claim from the store unless a signal came since the last one. */
/**
 * After some claims its connection leads to where nothing is: a replica that was cut off, for one. Made anew it is well for some more.
 */
export function goesStale(broker: Broker, onReconnect: (() => void) | null): Partial<Broker> {
  let claimsLeft = claimsUntilStale;
  let sent: string | null = null;
  /** What was sent before goes on: told that it brought nothing, a worker would rightly forget what the store may have done of it. */
  const isStale = ({ token }: ClaimRequest): boolean => {
    if (claimsLeft-- <= 0 && token !== sent) return true;
    sent = token;
    return false;
  };
  /** What an enqueue of its own process was given, too. */
  const notedBy = (offer: Offer): Offer => ({
    ...offer,
    claim: (queues) => {
      const request = offer.claim(queues);
      sent = request?.token ?? sent;
      return request;
    },
  });
  return {
    subscribe: (listener, taker) =>
      broker.subscribe(listener, () => {
        const offer = taker?.() ?? null;
        return offer === null ? null : notedBy(offer);
      }),
    claim: async (request) => (isStale(request) ? [] : broker.claim(request)),
    settle: (settlements, claimNext) =>
      broker.settle(settlements, claimNext === undefined || isStale(claimNext) ? undefined : claimNext),
    ...(onReconnect !== null && {
      reconnect: () => {
        claimsLeft = claimsUntilStale;
        onReconnect();
      },
    }),
  };
}

const claimsUntilStale = 30;

function hintedOnly(broker: Broker): Partial<Broker> {
  let hinted = true;
  return {
    subscribe: (listener) =>
      broker.subscribe((signal) => {
        hinted = true;
        listener(signal);
      }),
    claim: async (request) => {
      if (!hinted) return [];
      hinted = false;
      return broker.claim(request).catch((error: unknown) => {
        hinted = true;
        throw error;
      });
    },
  };
}
