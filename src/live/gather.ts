/** Gathers what happens for topics that many look at, and tells it a few times a second: one text for all who hear the same. */

import type { BatchEvent } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import { formatCursor, type LiveCursor } from '../core/live.ts';
import type { Cancel, Clock } from '../core/time.ts';
import { createFrame, type LiveFrame } from './frame.ts';
import { type Group, gatheredFrame, sendSome } from './group.ts';

export interface GatherOptions {
  readonly clock: Clock;
  /** Tasks in one message: with more it is said that there were more. */
  readonly itemsMax: number;
  /** Where everybody is who has joined. */
  readonly cursor: () => LiveCursor;
}

export interface Gather {
  /** How far what was gathered has been told; `null` when there is nothing left to tell. */
  readonly told: number | null;
  add(events: readonly BatchEvent[]): void;
  join(group: Group): void;
  leave(group: Group): void;
  /** Forgets what was not told yet. */
  restart(): void;
}

export function createGather({ clock, itemsMax, cursor }: GatherOptions): Gather {
  const groups = new Set<Group>();
  let events: BatchEvent[] = [];
  let items = 0;
  let told: number | null = null;
  let toldAt = -Infinity;
  let cancel: Cancel | null = null;

  function restart(): void {
    cancel?.();
    cancel = null;
    events = [];
    items = 0;
    told = null;
  }

  function tell(): void {
    const [from, gathered, isBurst] = [told ?? 0, events, items > itemsMax];
    restart();
    toldAt = clock.elapsed();
    const to = cursor();
    const shared = new Map<string, LiveFrame | null>();
    for (const group of groups) {
      if (isBurst) sendSome(group, burst(group, to));
      else sendSome(group, frameFor(group, gathered, { from, to, shared }));
      group.cursor = to;
    }
  }

  return {
    get told() {
      return told;
    },
    add(more) {
      const [first] = more;
      if (groups.size === 0 || first === undefined) return;
      told ??= first.seq - 1;
      for (const event of more) {
        items += event.items.length;
        if (items <= itemsMax) events.push(event);
      }
      // They would not be told anyway.
      if (items > itemsMax) events = [];
      cancel ??= clock.schedule(Math.max(0, toldAt + limits.liveGatherMs - clock.elapsed()), tell);
    },
    join: (group) => void groups.add(group),
    leave(group) {
      if (groups.delete(group) && groups.size === 0) restart();
    },
    restart,
  };
}

/** Who came in between has heard a part of it. */
function frameFor(
  group: Group,
  events: readonly BatchEvent[],
  { from, to, shared }: { from: number; to: LiveCursor; shared: Map<string, LiveFrame | null> },
): LiveFrame | null {
  if (group.hasFilter || (group.cursor?.gathered ?? 0) > from) return gatheredFrame(group, events, to);
  const known = shared.get(group.signature);
  if (known !== undefined) return known;
  const made = gatheredFrame(group, events, to);
  shared.set(group.signature, made);
  return made;
}

function burst({ gathers }: Group, to: LiveCursor): LiveFrame {
  return createFrame({ type: 'resync', cursor: formatCursor(to), topics: gathers, reason: 'burst' });
}
