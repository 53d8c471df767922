/** Follows the event log of a store once for everybody in this process, and tells when some of it is lost. */

import type { Chance } from '../core/chance.ts';
import type { BatchEvent } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import type { ResyncReason } from '../core/live.ts';
import type { Clock } from '../core/time.ts';
import { createService, type Report } from '../engine/service.ts';
import type { Feed, LogSpan } from './feed.ts';
import { createRecent } from './recent.ts';

/** Where the log has been read up to. */
export interface LogPlace {
  readonly incarnation: string;
  readonly seq: number;
}

export interface LogOptions {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly report: Report;
  /** These came, oldest first; there may be none. Called after every look that succeeded. */
  onEvents(events: readonly BatchEvent[]): void;
  /** Some were missed, and nobody knows which: it goes on from its new place. */
  onLost(reason: ResyncReason): void;
}

export interface Log {
  /** `null` until the store has answered. */
  readonly place: LogPlace | null;
  start(): void;
  stop(): Promise<void>;
  /** Something may have happened. */
  hint(): void;
  /**
   * Of what the log has been read, the next events behind a place, none when there are no more; `null` when that place has not been
   * reached here; or why nobody can tell.
   */
  behind(from: LogPlace, seen: number): Promise<readonly BatchEvent[] | null | ResyncReason>;
}

export function createLog({ feed, clock, chance, report, onEvents, onLost }: LogOptions): Log {
  const recent = createRecent(limits.liveRecentMax);
  let place: LogPlace | null = null;
  let checkedAt = -Infinity;
  let lookedAt = -Infinity;
  let lastEventAt = -Infinity;
  let isHinted = false;
  let isStarted = false;

  function goTo({ incarnation, last }: LogSpan): LogPlace {
    recent.restart(last);
    place = { incarnation, seq: last };
    return place;
  }

  /** Whether the store is still the one that was read, and has what comes next. Answers where to read on. */
  async function check(signal: AbortSignal): Promise<LogPlace> {
    const span = await feed.span();
    signal.throwIfAborted();
    checkedAt = clock.elapsed();
    if (place === null) return goTo(span);
    const isOther = span.incarnation !== place.incarnation || span.last < place.seq;
    if (!isOther && span.from <= place.seq) return place;
    const next = goTo(span);
    onLost(isOther ? 'store' : 'log');
    return next;
  }

  async function tick(signal: AbortSignal) {
    isHinted = false;
    const isFirst = place === null;
    const isDue = isFirst || clock.elapsed() - checkedAt >= limits.liveCheckMs;
    // Whatever fails from here on: the next look begins with a check.
    checkedAt = isDue ? -Infinity : checkedAt;
    const from = isDue || place === null ? await check(signal) : place;
    lookedAt = clock.elapsed();
    // Somebody waits for the first look, and whoever has told it to stop for the end of any.
    const events = await unlessAborted(signal, feed.read(from.seq, isFirst ? 0 : limits.pollMs));
    if (events === null || signal.aborted) return 'done' as const;
    if (!feed.isWhole(from.seq, events) && (await check(signal)) !== from) return 'full' as const;
    for (const event of events) recent.add(event);
    const last = events.at(-1);
    if (last !== undefined) {
      place = { incarnation: from.incarnation, seq: last.seq };
      lastEventAt = clock.elapsed();
    }
    onEvents(events);
    return events.length >= limits.liveReadMax ? ('full' as const) : ('done' as const);
  }

  /** A store that waits for the first event has done so. All others are asked again soon where something happens, or may have. */
  function periodMs(): number {
    const now = clock.elapsed();
    if (feed.waits) return now - lookedAt >= limits.liveLookMs ? 0 : limits.liveLookMs;
    if (isHinted) return limits.liveLookMs;
    return now - lastEventAt < limits.liveBusyMs ? limits.liveBusyLookMs : limits.pollMs;
  }

  const service = createService({ name: 'live updates', periodMs, tick, clock, chance, report });

  async function behindInStore(from: LogPlace, upTo: number): Promise<readonly BatchEvent[] | ResyncReason> {
    const events = await feed.read(from.seq, 0);
    // Asked after the read: what was gone by then may be missing in it.
    const span = await feed.span();
    if (span.incarnation !== from.incarnation || span.last < from.seq) return 'store';
    return span.from > from.seq ? 'log' : events.filter(({ seq }) => seq <= upTo);
  }

  return {
    get place() {
      return place;
    },
    start() {
      if (isStarted) return;
      isStarted = true;
      service.start();
    },
    async stop() {
      isStarted = false;
      place = null;
      recent.clear();
      await service.stop();
    },
    hint() {
      if (feed.waits) return;
      isHinted = true;
      service.wakeIn(Math.max(1, lookedAt + limits.liveLookMs - clock.elapsed()));
    },
    async behind(from, seen) {
      if (place === null) return null;
      if (from.incarnation !== place.incarnation) return 'store';
      if (seen > place.seq) {
        const { last } = await feed.span();
        service.wake();
        return last < seen ? 'store' : null;
      }
      if (from.seq >= place.seq) return [];
      if (recent.from !== null && recent.from <= from.seq) return recent.after(from.seq).slice(0, limits.liveReadMax);
      return behindInStore(from, place.seq);
    },
  };
}

/** The answer, or `null` as soon as nobody waits for it any more. */
function unlessAborted<Answer>(signal: AbortSignal, answer: Promise<Answer>): Promise<Answer | null> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => resolve(null);
    signal.addEventListener('abort', giveUp, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
