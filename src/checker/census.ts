/** Counts what happened: the numbers of a report, and the proof that something did. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { ClientEntry, Effect } from './evidence.ts';

export interface Census {
  event(event: BatchEvent, item: EventItem): void;
  client(entry: ClientEntry): void;
  effect(effect: Effect): void;
  /** A task is there whose client never heard that it was accepted. */
  recovered(): void;
  readonly counts: Readonly<Record<string, number>>;
}

export function createCensus(): Census {
  const counts: Record<string, number> = {};
  const count = (name: string): void => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  return {
    counts,
    event({ kind }, { to, reason }) {
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
    effect({ what }) {
      if (what === 'begin') count('runs');
      else if (what === 'abort') count('aborts');
    },
    recovered: () => count('recovered'),
  };
}
