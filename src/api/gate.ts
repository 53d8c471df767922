/** Lets requests through as often as their callers may ask, and slows down who sends wrong keys. Counted in this process alone. */

import { callerOf } from '../core/address.ts';
import { durationText } from '../core/duration.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { formatBytes } from '../core/json.ts';
import type { Rate } from '../core/limit-rules.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import type { Actor } from '../operations/operation.ts';
import { type Buckets, createBuckets, type Pace } from './buckets.ts';
import { createHolds } from './holds.ts';
import { createPaced } from './paced.ts';
import { createShares } from './shares.ts';

export interface GateOptions {
  readonly clock: Clock;
  /** In a second, of one key, and of one address without a key. */
  readonly perKey?: number;
  readonly perAddress?: number;
}

/** Why something was refused, as the metrics have it. */
export type Refusal = 'key' | 'address' | 'wrong_keys' | 'unread';

/** Whether whoever is at the other end of a connection, and whoever has that key, has read enough to be answered more. */
export type HasRead = (keyId: string | undefined) => boolean;

export interface Gate {
  /** Takes a request of somebody who was let in off the budget of the key, or of the address where everybody is let in. */
  pass(actor: Actor, address: string | undefined, cost: number): Passage | null;
  /** The same of who was not let in, or need not be. */
  passStranger(address: string | undefined, cost: number): Passage | null;
  /**
   * Resolves when it is the turn of that caller for a request that is much work, and they have read most of what they were answered.
   * Rejects with ANSWERS_UNREAD when they do not read.
   */
  turn(actor: Pick<Actor, 'keyId'>, address: string | undefined, hasRead?: HasRead): Promise<void>;
  /** Resolves when it is the turn of that caller to go on with a request that was begun. */
  turnToGoOn(actor: Pick<Actor, 'keyId'>, address: string | undefined): Promise<void>;
  /** Resolves when it is the turn of that caller to have a large body read: one after the other, whoever they are of. */
  bodyTurn(actor: Pick<Actor, 'keyId'>, address: string | undefined): Promise<void>;
  /** How long until strangers from there may ask again; 0 is now. */
  strangerWaitMs(address: string | undefined): number;
  /** How long wrong keys from there are refused without a look at who has them; 0 when they are looked up. */
  guessWaitMs(address: string | undefined): number;
  /** Notes a wrong key. Answers whether it is the one with which that begins, and is to be told. */
  guessed(address: string | undefined): boolean;
  /** How often each has refused since the start. */
  readonly refused: Readonly<Record<Refusal, number>>;
  /** Callers that are remembered. */
  readonly size: number;
}

/** What is said of a request whose caller has used up half of the budget, or all of it. */
export interface Passage {
  /** Names and values of draft-ietf-httpapi-ratelimit-headers: what there is, and what of it is left. */
  readonly headers: Readonly<Record<string, string>>;
  /** RATE_LIMITED where it may not pass. */
  readonly refusal: TaskFlowError | null;
}

/** All together. */
const everybody = '';

export function createGate(options: GateOptions): Gate {
  const { clock, perKey = limits.requestsPerKey, perAddress = limits.requestsPerAddress } = options;
  const budget = (perSecond: number) =>
    createBuckets({ clock, perSecond, burst: perSecond * limits.requestBurstSeconds });
  const ofKeys = budget(perKey);
  const ofStrangers = budget(perAddress);
  const guesses = createBuckets({
    clock,
    perSecond: 1_000 / limits.wrongKeysAddressMs,
    burst: limits.wrongKeysPerAddress,
  });
  const allGuesses = createBuckets({
    clock,
    perSecond: 1_000 / limits.wrongKeysOverallMs,
    burst: limits.wrongKeysOverall,
  });
  const told = createBuckets({ clock, perSecond: limits.wrongKeysToldMax / 60, burst: limits.wrongKeysToldMax });
  const shares = createShares(clock);
  const holds = createHolds(clock);
  const bodies = createPaced();
  const refused: Record<Refusal, number> = { key: 0, address: 0, wrong_keys: 0, unread: 0 };

  function take(buckets: Buckets, caller: string, { cost, why, own }: Taking): Passage | null {
    const { pace = buckets.pace, words = `${pace.perSecond} requests a second` } = own ?? {};
    const { waitMs, left } = buckets.take(caller, cost, pace);
    if (waitMs === 0) return left * 2 < pace.burst ? { headers: headersOf(pace, left), refusal: null } : null;
    refused[why] += 1;
    const refusal = taskFlowError(
      'RATE_LIMITED',
      { whose: why === 'key' ? 'This key' : 'This address', rate: words },
      { details: { retryAfterMs: Math.ceil(waitMs) } },
    );
    return { headers: headersOf(pace, left), refusal };
  }

  return {
    pass(actor, address, cost) {
      const { keyId, rate } = actor;
      shares.asked(() => whoOf(actor, address));
      if (keyId === undefined) return take(ofKeys, nameOf(address), { cost, why: 'address' });
      return take(ofKeys, keyId, { cost, why: 'key', own: rate == null ? null : ownPace(rate) });
    },
    passStranger(address, cost) {
      shares.asked(() => whoOf({}, address));
      return take(ofStrangers, nameOf(address), { cost, why: 'address' });
    },
    turn(actor, address, hasRead = () => true) {
      const { keyId } = actor;
      const caller = whoOf(actor, address);
      const until = clock.elapsed() + limits.unreadWaitMs;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const refuse = (): void => {
        refused.unread += 1;
        reject(
          taskFlowError('ANSWERS_UNREAD', {
            whose: 'This address, or its key,',
            max: formatBytes(limits.unreadOfCallerMax),
          }),
        );
      };
      // Looked at when it is its turn: until then others of the same caller are answered.
      const goOn = (): void =>
        shares.begin(caller, () => {
          if (hasRead(keyId)) resolve();
          else if (!holds.add({ until, hasRead: () => hasRead(keyId), goOn, refuse })) refuse();
        });
      goOn();
      return promise;
    },
    turnToGoOn: (actor, address) => new Promise((resolve) => shares.begin(whoOf(actor, address), resolve, true)),
    bodyTurn: (actor, address) => new Promise((resolve) => bodies.begin(whoOf(actor, address), resolve)),
    strangerWaitMs: (address) => ofStrangers.waitMs(nameOf(address), 1),
    guessWaitMs(address) {
      return Math.max(guesses.waitMs(nameOf(address), 1), allGuesses.waitMs(everybody, 1));
    },
    guessed(address) {
      const name = nameOf(address);
      const wasFree = guesses.waitMs(name, 1) === 0;
      guesses.take(name, 1);
      allGuesses.take(everybody, 1);
      if (!wasFree) refused.wrong_keys += 1;
      return wasFree && guesses.waitMs(name, 1) > 0 && told.take(everybody, 1).waitMs === 0;
    },
    refused,
    get size() {
      return ofKeys.size + ofStrangers.size + guesses.size;
    },
  };
}

interface Taking {
  readonly cost: number;
  readonly why: Refusal;
  /** What a key was given when it was made. */
  readonly own?: OwnPace | null;
}

interface OwnPace {
  readonly pace: Pace;
  readonly words: string;
}

/** At once as much as its time brings, or as much as of every other pace. */
function ownPace(rate: Rate): OwnPace {
  const perSecond = (rate.count * 1_000) / rate.perMs;
  const burst = Math.max(rate.count, Math.ceil(perSecond * limits.requestBurstSeconds));
  return { pace: { perSecond, burst }, words: `${rate.count} requests in ${durationText(rate.perMs)}` };
}

/** An address that nobody knows is one caller too. */
function nameOf(address: string | undefined): string {
  return address === undefined ? 'unknown' : callerOf(address);
}

/** Programs with one key are many callers where they run in several places. */
function whoOf({ keyId }: Pick<Actor, 'keyId'>, address: string | undefined): string {
  return `${keyId ?? ''} ${nameOf(address)}`;
}

/** How full it is is told in seconds until it is full. */
function headersOf({ perSecond, burst }: Pace, left: number): Passage['headers'] {
  const seconds = Math.ceil((burst - left) / perSecond);
  return {
    'ratelimit-policy': `"default";q=${burst};w=${Math.ceil(burst / perSecond)}`,
    ratelimit: `"default";r=${Math.floor(left)};t=${seconds}`,
  };
}
