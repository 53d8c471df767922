/** Counts what happened: the numbers of a report, and the proof that something did. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { Asked, ClientEntry, Effect } from './evidence.ts';
import { createWaitBook, type Waits } from './waits.ts';

export interface Census {
  event(event: BatchEvent, item: EventItem): void;
  client(entry: ClientEntry): void;
  effect(effect: Effect): void;
  /** A task is there whose client never heard that it was accepted. */
  recovered(): void;
  /** A task was stored: what its client asked for says which kind it is. */
  stored(asked: Asked | null, isSpawned: boolean): void;
  /** A task was claimed so long after it could be. */
  waited(ms: number): void;
  readonly counts: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly waits: Waits;
}

export function createCensus(): Census {
  const counts: Record<string, number> = {};
  const kinds: Record<string, number> = {};
  const waits = createWaitBook();
  const count = (name: string, among = counts): void => {
    among[name] = (among[name] ?? 0) + 1;
  };
  return {
    counts,
    kinds,
    get waits() {
      return waits.read();
    },
    stored: (asked, isSpawned) => count(isSpawned ? 'brought along by a run' : kindOf(asked ?? {}), kinds),
    waited: waits.add,
    event({ kind }, { to, reason }) {
      count('moves');
      if (kind === 'enqueue') count('stored');
      else if (kind === 'claim') count('claims');
      else if (kind === 'retry') count('retriedByHand');
      else if (kind === 'cancelRequest') count('cancelRequests');
      else if (kind === 'settle' || kind === 'judge') {
        if (kind === 'judge') count('judged');
        if (to === 'scheduled' || to === 'queued') count(`again:${reason ?? 'none'}`);
      }
      if (kind === 'prune' || kind === 'remove') count('removed');
      else if (to === 'succeeded') count('succeeded');
      else if (to === 'failed') count(reason === 'crash_loop' ? 'quarantined' : 'failed');
      else if (to === 'cancelled') count(reason === 'expired' ? 'expired' : 'cancelled');
    },
    client({ step }) {
      if (step === 'ok') count('accepted');
      else if (step === 'fail') count('refused');
      else if (step === 'info') count('unanswered');
    },
    effect({ what, own }) {
      if (what === 'begin') count('runs');
      else if (what === 'abort') count('aborts');
      else if (what === 'kept') count('stepsKept');
      if (own === true) count('ownProcess');
    },
    recovered: () => count('recovered'),
  };
}

/** The first that applies: a task is counted once. */
function kindOf(asked: Asked): string {
  const [limit] = asked.limits ?? [];
  if (asked.dependsOn !== undefined) return 'waiting for others';
  if (asked.group != null) return 'in a group';
  if (asked.key != null)
    return asked.ifExists === undefined ? 'with a key' : 'with a key that is replaced or postponed';
  if (limit !== undefined) return limit.max === null ? 'with a rate' : 'with slots';
  if (asked.expiresInMs != null) return 'with a life';
  if (asked.strictCancel === true) return 'cancelled strictly';
  return asked.delayMs === undefined ? 'nothing but its work' : 'delayed';
}
