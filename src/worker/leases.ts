/** The attempts a worker holds leases of, as its keeper sees them. */

import type { Beat, BeatAnswer } from '../broker/broker.ts';
import { limits } from '../core/limits.ts';
import type { Clock } from '../core/time.ts';
import type { Attempt } from './attempt.ts';
import type { LeaseHolder } from './keeper.ts';
import { bytesOf } from './steps.ts';

export interface LeasesOptions {
  readonly clock: Pick<Clock, 'elapsed'>;
  /** Until when what was held before may be trusted because the guard renewed it; see guard.ts. */
  readonly renewal?: () => { readonly before: number; readonly trustUntil: number } | null;
  readonly onCancel: (attempt: Attempt) => void;
  /** `forSure`: the store said so; else the trust in the lease ran out here. */
  readonly onLost: (attempt: Attempt, forSure: boolean) => void;
  /** Leases were renewed: what waited for that may start. */
  readonly onRenewed: () => void;
  /** More steps wait than one call carries. */
  readonly onUnsent: () => void;
}

export interface Leases extends LeaseHolder {
  add(attempt: Attempt): void;
  delete(attempt: Attempt): void;
  /** Marks the attempts of these tasks, so that the next beat asks about them; whether there are any. */
  ask(taskIds: readonly string[]): boolean;
  readonly all: ReadonlySet<Attempt>;
}

export function createLeases(options: LeasesOptions): Leases {
  const { clock } = options;
  const all = new Set<Attempt>();
  /** The attempts behind beats that are on their way: a task may be held twice, so the lease alone does not tell. */
  const sent = new WeakMap<Beat, Attempt>();

  function takeBeats(everything: boolean): readonly Beat[] {
    const elapsed = clock.elapsed();
    const beats: Beat[] = [];
    let stepBytes: number = limits.batchBytesMax;
    for (const attempt of all) {
      // What is settled takes its news along.
      if ((!everything && !attempt.hasNews) || attempt.completed !== null || attempt.phase === 'settling') continue;
      const beat = attempt.takeBeat(elapsed, stepBytes);
      for (const checkpoint of beat.checkpoints) stepBytes -= bytesOf(checkpoint);
      sent.set(beat, attempt);
      beats.push(beat);
    }
    return beats;
  }

  function takeSettling(): readonly Beat[] {
    const elapsed = clock.elapsed();
    const settling = [...all].filter(({ phase, completed }) => phase === 'settling' && completed === null);
    return settling.map((attempt) => attempt.takeBeat(elapsed, 0));
  }

  function answered(beats: readonly Beat[], answers: readonly BeatAnswer[], trustUntil: number): void {
    let isMore = false;
    for (const [index, beat] of beats.entries()) {
      const attempt = sent.get(beat);
      // An attempt that ended meanwhile has had its settlement answered, or will: that answer is the better one.
      if (attempt === undefined || attempt.phase === 'settling' || attempt.phase === 'over') continue;
      // Its own transaction may have ended the task.
      if (attempt.completed !== null) continue;
      const answer = answers[index];
      if (answer === 'lost') options.onLost(attempt, true);
      else {
        attempt.trustUntil = Math.max(attempt.trustUntil, trustUntil);
        if (beat.ranMs !== null) {
          attempt.startReported = true;
          attempt.onStartKnown?.();
        }
        attempt.steps?.kept(beat.checkpoints);
        isMore ||= attempt.steps?.hasUnsent === true;
        if (answer === 'cancel') options.onCancel(attempt);
      }
    }
    options.onRenewed();
    if (isMore) options.onUnsent();
  }

  function failed(beats: readonly Beat[]): void {
    for (const beat of beats) sent.get(beat)?.restoreBeat(beat);
  }

  /** While the loop stood still, the guard has kept the leases: that is found out before any trust is taken for ended. */
  function takeRenewal(): void {
    const renewal = options.renewal?.() ?? null;
    if (renewal === null) return;
    for (const attempt of all)
      if (attempt.arrivedAt <= renewal.before) attempt.trustUntil = Math.max(attempt.trustUntil, renewal.trustUntil);
  }

  function trustEndsAt(): number {
    let endsAt = Infinity;
    for (const attempt of all) if (isTrusted(attempt)) endsAt = Math.min(endsAt, attempt.trustUntil);
    return endsAt;
  }

  function endTrust(elapsed: number): void {
    takeRenewal();
    for (const attempt of all) if (isTrusted(attempt) && attempt.trustUntil <= elapsed) options.onLost(attempt, false);
  }

  function ask(taskIds: readonly string[]): boolean {
    const asked = new Set(taskIds);
    let found = false;
    for (const attempt of all) {
      if (!asked.has(attempt.task.id) || (attempt.phase !== 'running' && attempt.phase !== 'waiting')) continue;
      attempt.asked = true;
      found = true;
    }
    return found;
  }

  return {
    all,
    add: (attempt) => void all.add(attempt),
    delete: (attempt) => void all.delete(attempt),
    ask,
    takeBeats,
    takeSettling,
    answered,
    failed,
    trustEndsAt,
    endTrust,
  };
}

/** Only a running handler acts in the name of its lease; what waits is not started without enough of it. */
function isTrusted(attempt: Attempt): boolean {
  return attempt.phase === 'running' && attempt.abortKind !== 'lost' && attempt.completed === null;
}
