/** The way to the store and back: settles what ended and claims what comes next, in one call after the other. */

import type { Offer, SettleResult, Taker } from '../broker/broker.ts';
import type { Chance } from '../core/chance.ts';
import { toTaskError } from '../core/error-facts.ts';
import { isRefusal, TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { ClaimedTask, Outcome, Settlement } from '../core/task.ts';
import type { Clock } from '../core/time.ts';
import type { TickResult } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import type { Attempt } from './attempt.ts';
import { createClaims, type Handed, type SentClaim } from './claims.ts';
import { type Demand, demandOf, type Pools } from './pools.ts';

export interface SettlerOptions {
  readonly store: Pick<Store, 'broker' | 'isParallel'>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly workerId: string;
  readonly leaseMs: number;
  readonly pools: Pools;
  /**
   * Takes claimed tasks over, in ms of `clock.elapsed()`: their leases may have begun when the claim was first sent at
   * `firstSentAt`, their `runMs` counts from the sending that was answered, at `sentAt`.
   */
  readonly onClaimed: (claimed: readonly ClaimedTask[], firstSentAt: number, sentAt: number) => void;
  /** What was taken over may start. Where calls may overlap and there is more to claim, that is once the next one is on its way. */
  readonly onReady: () => void;
  /** The store answered for this attempt; it owes and is owed nothing more. */
  readonly onSettled: (attempt: Attempt, result: SettleResult) => void;
  /** The store refused what this attempt brings along: its run has failed, and is to be settled as that. */
  readonly onSpawnRefused: (attempt: Attempt, outcome: Outcome) => void;
  /** The store refused this attempt's settlement `limits.refusalsMax` times, whatever came with it: it is sent no more. */
  readonly onRefused: (attempt: Attempt) => void;
  /** There is something to do for a tick. */
  readonly onWork: () => void;
}

export interface Settler {
  /** Adds an attempt whose verdict is known. */
  add(attempt: Attempt): void;
  /** One call of the store at most: the batch that gathered since the last one, and the claim for the free slots. */
  tick(): Promise<TickResult>;
  /** Its claim for what is enqueued here, while nothing is under way; see `Taker`. */
  readonly offer: Taker;
  /** Hears that a claim which had found nothing was made; see `ClaimRequest.standMs`. */
  handed(what: Handed): void;
  /** Settlements and claims that the store has not answered. */
  readonly pending: number;
  /** Gives up the calls that began before then, by `clock.elapsed()`: whether they were done is not known. Answers how many. */
  giveUp(startedBefore: number): number;
  /** From now on nothing new is claimed. A claim whose answer was lost, or that stands, is asked again, to hand its tasks back. */
  close(): void;
  /** Claims again. */
  open(): void;
}

const nothing: Demand = { queues: [], limit: 0 };

/** Twice the round trip hides it; twice that again covers its spread. */
const roundTrips = 4;

/** What waits for a slot for longer than it may goes back: half of that leaves time for the way here. */
const aheadMaxMs = (leaseMs: number): number => Math.min(leaseMs / 3, limits.prefetchHoldMs / 2);

export function createSettler(options: SettlerOptions): Settler {
  const { clock, pools } = options;
  const { broker, isParallel = false } = options.store;
  let unsettled: Attempt[] = [];
  /** Settlements that are with the store. */
  let sent = 0;
  /** Whether a tick waits for the store, and whether a batch is settled beside it. */
  let isCalling = false;
  let isAside = false;
  /** What failed beside a claim is tried along with one, whose failure makes the loop wait. */
  let hasFailedAside = false;
  /** Since when the claim is with an enqueue, which will tell; `null` when it is not. */
  let offeredAt: number | null = null;
  /** What the last claim brought waits for the next call to be sent. */
  let isHeld = false;
  let closed = false;
  let roundTripMs = 0;
  const claims = createClaims({ ...options, keepsClaims: broker.keepsClaims === true });
  const calls = createCalls(clock);

  async function tick(): Promise<TickResult> {
    const taken = takeBatch();
    // With more to settle than one call carries, claiming more would only add to it; and what may be refused goes alone.
    const isAlone = unsettled.length > 0 || isSuspect(taken[0]);
    const claim = isAlone || offeredAt !== null ? null : (claims.unanswered ?? nextClaim());
    if (taken.length === 0 && claim === null) {
      begin();
      return 'done';
    }
    const isSplit = claim !== null && isWorthSettlingAside(taken.length);
    if (isSplit) void settleAside(taken);
    const attempts = isSplit ? [] : taken;
    const sentAt = clock.elapsed();
    const isRepeated = claim !== null && claim === claims.unanswered;
    if (claim !== null) claims.send(claim);
    isCalling = true;
    const answer = call(attempts, claim);
    // What the last claim brought runs while the store works.
    begin();
    const answered = await answer.finally(() => {
      isCalling = false;
    });
    roundTripMs = (roundTripMs + clock.elapsed() - sentAt) / 2;
    if (claim === null) return unsettled.length > 0 ? 'full' : 'done';
    if (answered === null) {
      // One whose answer was lost may have been done, and is sent again.
      const early = isRepeated ? null : claims.renounce();
      if (early !== null) handed(early);
      return unsettled.length > 0 ? 'full' : 'done';
    }
    const claimed = claims.conclude(claim, answered, sentAt);
    options.onClaimed(claimed, claim.firstSentAt, sentAt);
    const isMore = claimed.length >= claim.request.limit;
    isHeld = isMore && isParallel && hasDemand(aheadMs());
    if (!isHeld) options.onReady();
    return isHeld || unsettled.length > 0 || (isMore && hasDemand(0)) ? 'full' : 'done';
  }

  function begin(): void {
    if (!isHeld) return;
    isHeld = false;
    options.onReady();
  }

  /** Answers what was claimed; `null` when a refused settlement had the claim with it. */
  async function call(attempts: readonly Attempt[], claim: SentClaim | null): Promise<readonly ClaimedTask[] | null> {
    if (attempts.length === 0) return claim === null ? [] : calls.answerOf(broker.claim(claim.request));
    sent += attempts.length;
    try {
      const answer = await calls.answerOf(broker.settle(settlementsOf(attempts), claim?.request));
      hasFailedAside = false;
      for (const [index, attempt] of attempts.entries()) {
        const result = answer.results[index];
        if (result !== undefined) options.onSettled(attempt, result);
      }
      return answer.claimed;
    } catch (error) {
      const [first] = attempts;
      if (attempts.length === 1 && first !== undefined && isSpawnRefusal(first, error)) {
        first.spawned = null;
        first.refusals = 0;
        const told = toTaskError(first.task.name, error);
        options.onSpawnRefused(first, { kind: 'error', error: told, retryable: false, retryAfterMs: null });
        return null;
      }
      putBack(attempts, error);
      // The store is well: whom it refuses is found out at once, by sending each alone.
      if (attempts.length > 1 && isRefusal(error)) return null;
      throw error;
    } finally {
      sent -= attempts.length;
    }
  }

  const isWorthSettlingAside = (count: number): boolean =>
    isParallel && !isAside && !hasFailedAside && count >= limits.settleAsideMin;

  /** The store settles a batch while it claims: each has a transaction to itself. What fails is for the next tick. */
  async function settleAside(attempts: readonly Attempt[]): Promise<void> {
    isAside = true;
    try {
      await call(attempts, null);
    } catch {
      // They are put back, and the tick tells why it cannot settle them either.
      hasFailedAside = true;
    } finally {
      isAside = false;
      if (unsettled.length > 0) options.onWork();
    }
  }

  function takeBatch(): Attempt[] {
    let bytes = 0;
    let spawned = 0;
    let count = 0;
    while (count < unsettled.length && count < limits.batchMax) {
      if (count > 0 && (isSuspect(unsettled[0]) || isSuspect(unsettled[count]))) break;
      const attempt = unsettled[count];
      const verdict = attempt?.verdict;
      if (verdict?.to === 'succeeded' && verdict.result !== null) bytes += 3 * verdict.result.length;
      bytes += attempt?.spawnedBytes ?? 0;
      spawned += attempt?.spawned?.length ?? 0;
      if ((bytes > limits.batchBytesMax || spawned > limits.batchMax) && count > 0) break;
      count += 1;
    }
    if (count === unsettled.length) {
      const all = unsettled;
      unsettled = [];
      return all;
    }
    return unsettled.splice(0, count);
  }

  function putBack(attempts: readonly Attempt[], error: unknown): void {
    // One settlement that the store refuses must hold up neither the others nor new work, for ever least of all. After a
    // refused batch each of it is sent alone; one that is refused again goes last, and in the end its lease is let go:
    // the engine then judges the task as if its worker had died.
    if (!isRefusal(error)) {
      unsettled = [...attempts, ...unsettled];
      return;
    }
    for (const attempt of attempts) attempt.refusals += 1;
    const [first] = attempts;
    if (first === undefined || attempts.length > 1) unsettled = [...attempts, ...unsettled];
    else if (first.refusals < limits.refusalsMax) unsettled = [...unsettled, first];
    else options.onRefused(first);
  }

  function nextClaim(sentAt = clock.elapsed()): SentClaim | null {
    // One that stands is taken back when nothing is wanted any more.
    const wanted = closed ? nothing : demand(aheadMs());
    return wanted.limit > 0 || claims.isStanding ? claims.make(wanted, sentAt) : null;
  }

  function handed(what: Handed): void {
    const firstSentAt = claims.hear(what);
    if (firstSentAt === null) return;
    options.onClaimed(what.claimed, firstSentAt, clock.elapsed());
    options.onReady();
    // To claim again, once what ends at once has ended.
    options.onWork();
  }

  function offer(): Offer | null {
    if (closed || claims.unanswered !== null || unsettled.length > 0 || sent > 0 || !hasDemand(0)) return null;
    // What is claimed in a step has its lease from the beginning of the step.
    const firstSentAt = clock.elapsed();
    let made: SentClaim | null = null;
    return {
      claim(queues) {
        if (made !== null) return made.request;
        if (claims.unanswered !== null) return null;
        const claim = nextClaim(firstSentAt);
        if (!claim?.request.queues.some(({ name }) => queues.includes(name))) return null;
        made = claim;
        claims.send(claim);
        offeredAt = clock.elapsed();
        return claim.request;
      },
      taken(claimed) {
        // Given up, it is asked for again as a claim.
        if (made === null || claims.unanswered !== made || offeredAt === null) return;
        offeredAt = null;
        const brought = claims.conclude(made, claimed, firstSentAt);
        options.onClaimed(brought, made.firstSentAt, firstSentAt);
        options.onReady();
        const isMore = brought.length >= made.request.limit && hasDemand(0);
        if (isMore || unsettled.length > 0) options.onWork();
      },
      failed() {
        if (claims.unanswered !== made || offeredAt === null) return;
        offeredAt = null;
        options.onWork();
      },
    };
  }

  const demand = (withinMs: number): Demand =>
    demandOf(pools, { elapsed: clock.elapsed(), aheadMs: withinMs, isParallel });
  const hasDemand = (withinMs: number): boolean => demand(withinMs).limit > 0;

  /** Never more than starts within a third of a lease. */
  const aheadMs = (): number =>
    Math.min(Math.max(limits.prefetchMs, roundTrips * roundTripMs), aheadMaxMs(options.leaseMs));

  return {
    tick,
    offer,
    handed,
    add(attempt) {
      unsettled.push(attempt);
      if (isCalling && isWorthSettlingAside(unsettled.length)) void settleAside(takeBatch());
    },
    get pending() {
      return unsettled.length + sent + (claims.unanswered === null && !(closed && claims.isStanding) ? 0 : 1);
    },
    giveUp(startedBefore) {
      const old = calls.giveUp(startedBefore);
      const isOfferOld = offeredAt !== null && offeredAt < startedBefore;
      if (isOfferOld) {
        offeredAt = null;
        options.onWork();
      }
      return old + Number(isOfferOld);
    },
    close() {
      closed = true;
    },
    open() {
      closed = false;
    },
  };
}

/** The calls that the store has not answered. */
function createCalls(clock: Clock) {
  const underWay = new Set<{ readonly since: number; readonly reject: (error: unknown) => void }>();
  return {
    /** What the store answers, unless the call is given up. */
    answerOf: <Answer>(call: Promise<Answer>): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const entry = { since: clock.elapsed(), reject };
        underWay.add(entry);
        call.then(resolve, reject).finally(() => underWay.delete(entry));
      }),
    giveUp(startedBefore: number): number {
      const old = [...underWay].filter(({ since }) => since < startedBefore);
      for (const entry of old) {
        underWay.delete(entry);
        entry.reject(taskFlowError('STORE_UNREACHABLE', { problem: 'a call had no end' }));
      }
      return old.length;
    },
  };
}

/** Whether the handler is to blame: what it brings along cannot be stored, a loop for one. The same run would bring it again. */
function isSpawnRefusal(attempt: Attempt, error: unknown): error is TaskFlowError {
  return attempt.spawned !== null && error instanceof TaskFlowError && error.code === 'INVALID_FLOW';
}

const isSuspect = (attempt: Attempt | undefined): boolean => attempt !== undefined && attempt.refusals > 0;

function settlementsOf(attempts: readonly Attempt[]): Settlement[] {
  const settlements: Settlement[] = [];
  for (const attempt of attempts) if (attempt.verdict !== null) settlements.push(attempt.settlement(attempt.verdict));
  return settlements;
}
