/** Keeps the leases: heartbeats in time, news on the way, and the word when a lease can no longer be trusted. */

import type { Beat, BeatAnswer, Broker, HeartbeatAnswer } from '../broker/broker.ts';
import type { Chance } from '../core/chance.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import type { Cancel, Clock } from '../core/time.ts';
import { createService, type Report } from '../engine/service.ts';
import type { Mailbox } from './mailbox.ts';

/** Until when a lease is trusted without an answer, as a share of it: the rest covers a slow abort. */
export const trustShare = 0.9;

/**
 * Who holds the leases. Only plain data crosses this seam, by batch and never by task, so that a keeper can live on a
 * thread of its own, where a handler that computes without a pause cannot stop its heartbeats.
 */
export interface LeaseHolder {
  /**
   * The beats to send now, of what waits or runs: of all leases, or only of those with news. Taking them marks their news as sent.
   */
  takeBeats(all: boolean): readonly Beat[];
  /** The beats of what waits for the answer to its settlement. */
  takeSettling(): readonly Beat[];
  /** The answers to beats that were taken, `trustUntil` for the leases that are renewed. */
  answered(beats: readonly Beat[], answers: readonly BeatAnswer[], trustUntil: number): void;
  /** The beats may not have arrived: their news has to be sent again. */
  failed(beats: readonly Beat[]): void;
  /** When the first trust ends, in ms of `clock.elapsed()`; `Infinity` for none. */
  trustEndsAt(): number;
  /** The trust of every lease up to `elapsed` is over. */
  endTrust(elapsed: number): void;
}

export interface KeeperOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly leaseMs: number;
  readonly holder: LeaseHolder;
  readonly mailbox: Mailbox;
  /** What to publish; `withDefinitions` when the store may not know them. */
  readonly presence: (withDefinitions: boolean) => Presence;
  readonly onAnswer: (answer: HeartbeatAnswer) => void;
  readonly report: Report;
}

export interface Keeper {
  /** Beats at once, for presence. */
  start(): void;
  /** Something should reach the store within `limits.newsMs`. */
  news(): void;
  /** A handler began whose lease is trusted until then, in ms of `clock.elapsed()`. */
  watch(trustUntil: number): void;
  /** Something should reach the store now. `all`: renew every lease. */
  beatNow(all: boolean): void;
  /** There may be something to hear, or the presence has changed: beats even when no lease has news. */
  listenNow(): void;
  /** Ends the loop and says goodbye with the last presence; a store that does not answer is not waited for. */
  stop(): Promise<void>;
}

export function createKeeper(options: KeeperOptions): Keeper {
  const { broker, clock, holder, leaseMs } = options;
  const renewMs = Math.min(leaseMs, limits.presenceMs) / 3;
  const callMs = Math.min(limits.beatMs, leaseMs / 6);
  let renewAt = -Infinity;
  /** When the store last answered, by its clock, with the definitions in its hands. */
  let knownAt = -Infinity;
  let newsWaits = false;
  let listens = false;
  /** Calls without an answer so far, given up or not. */
  const pending = new Set<Promise<unknown>>();
  /** The one beside them that carries what is being settled. */
  let settlingCall: Promise<unknown> | null = null;
  const trust = createTrustWatch(clock, holder);

  const service = createService({
    name: 'keeper',
    periodMs: () =>
      newsWaits ? Math.min(limits.newsMs, renewMs) : Math.max(1, Math.min(renewMs, renewAt - clock.elapsed())),
    backoffMaxMs: Math.min(1_000, leaseMs / 10),
    clock,
    chance: options.chance,
    report: options.report,
    async tick() {
      try {
        await beat();
      } finally {
        trust.renew();
      }
      return 'done';
    },
  });

  async function beat(): Promise<void> {
    // A tenth early counts as due: the period is spread by as much, and a renewal missed by a hair would be a period late.
    const all = clock.elapsed() >= renewAt - renewMs / 5;
    newsWaits = false;
    const beats = holder.takeBeats(all);
    if (!all && beats.length === 0 && !listens) return;
    listens = false;
    const sentAt = clock.elapsed();
    let sent = 0;
    try {
      do {
        const batch = beats.slice(sent, sent + limits.batchMax);
        sent += batch.length;
        await send(batch);
      } while (sent < beats.length);
    } catch (error) {
      listens = true;
      throw error;
    } finally {
      // Behind a call that failed nothing was sent: those beats take their news back as well.
      holder.failed(beats.slice(sent));
    }
    if (!all) return;
    renewAt = sentAt + renewMs;
    renewSettling();
  }

  /**
   * A store may hold the tasks of a settlement until it is stored: nobody else's beats wait for that, and one call waits at a time.
   * When it fails the next renewal tries again.
   */
  function renewSettling(): void {
    if (settlingCall !== null) return;
    const beats = holder.takeSettling();
    if (beats.length === 0) return;
    settlingCall = callAll(beats)
      .catch(() => undefined)
      .finally(() => {
        settlingCall = null;
      });
  }

  async function callAll(beats: readonly Beat[]): Promise<void> {
    for (let at = 0; at < beats.length; at += limits.batchMax) await call(beats.slice(at, at + limits.batchMax));
  }

  /** Sends them, and waits no longer than a heartbeat may take. */
  async function send(beats: readonly Beat[]): Promise<void> {
    if (pending.size >= limits.beatsUnderWayMax) {
      // Its deadline was told already: what is tried now is whether it has an end.
      await withDeadline(clock, Promise.race(pending), callMs).catch((error: unknown) => {
        holder.failed(beats);
        throw error;
      });
    }
    const sent = call(beats);
    pending.add(sent);
    void sent.catch(() => undefined).finally(() => pending.delete(sent));
    await withDeadline(clock, sent, callMs);
  }

  function call(beats: readonly Beat[]): Promise<void> {
    // Noted before sending: an answer that comes late does not stretch the trust.
    const sentAt = clock.elapsed();
    const withDefinitions = knownAt === -Infinity;
    const mail = options.mailbox.outgoing();
    return broker.heartbeat({ worker: options.presence(withDefinitions), leaseMs, beats, ...mail }).then(
      (answer) => {
        // By the store's clock, since ours stands still while a machine sleeps.
        const isRemembered = withDefinitions || answer.now - knownAt < limits.presenceMs;
        knownAt = isRemembered ? answer.now : -Infinity;
        holder.answered(beats, answer.beats, sentAt + leaseMs * trustShare);
        options.mailbox.arrived(mail);
        // Said at once: people wait to see that they were heard.
        if (options.mailbox.take(answer.commands)) listenNow();
        options.onAnswer(answer);
      },
      (error: unknown) => {
        holder.failed(beats);
        throw error;
      },
    );
  }

  function listenNow(): void {
    listens = true;
    service.wake();
  }

  async function stop(): Promise<void> {
    await service.stop();
    trust.end();
    // The store forgets a silent worker by itself; this only makes it sooner.
    await send([]).catch(() => undefined);
  }

  return {
    start: service.start,
    news() {
      newsWaits = true;
      service.wakeIn(limits.newsMs);
    },
    watch: trust.watch,
    beatNow(all) {
      if (all) renewAt = -Infinity;
      service.wake();
    },
    listenNow,
    stop,
  };
}

/** Tells the holder when the trust in a lease ends. */
function createTrustWatch(clock: Clock, holder: Pick<LeaseHolder, 'trustEndsAt' | 'endTrust'>) {
  let cancel: Cancel | null = null;
  let watchedAt = Infinity;

  function end(): void {
    cancel?.();
    cancel = null;
    watchedAt = Infinity;
  }

  function renew(): void {
    end();
    watch(holder.trustEndsAt());
  }

  /** The timer stands at the earliest end; one that comes later is found when it fires. */
  function watch(endsAt: number): void {
    if (endsAt >= watchedAt) return;
    end();
    watchedAt = endsAt;
    cancel = clock.schedule(Math.max(0, endsAt - clock.elapsed()), () => {
      holder.endTrust(clock.elapsed());
      renew();
    });
  }

  return { end, renew, watch };
}

/** Rejects with STORE_UNREACHABLE when `call` takes longer; its late rejection is nobody's any more. */
async function withDeadline(clock: Clock, call: Promise<unknown>, deadlineMs: number): Promise<void> {
  let cancel: Cancel | null = null;
  const late = new Promise<never>((_, reject) => {
    cancel = clock.schedule(deadlineMs, () =>
      reject(
        taskFlowError('STORE_UNREACHABLE', { problem: `a heartbeat took longer than ${Math.round(deadlineMs)} ms` }),
      ),
    );
  });
  try {
    await Promise.race([call, late]);
  } finally {
    (cancel as Cancel | null)?.();
  }
}
