/** S16: nothing is claimed that is paused, by its queue, its group or one of its limits, until it is resumed. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { Asked, SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

export interface PauseBook {
  /** `at`: the time of the event that follows. */
  configured(setting: SettingEntry, at: number): void;
  change(event: BatchEvent, item: EventItem, asked: Asked | null): void;
}

/** `overlapMs`: a claim may have begun so shortly before, and not have seen the pause. */
export function createPauseBook(tell: Tell, overlapMs = 0): PauseBook {
  const paused = {
    queue: new Map<string, number>(),
    group: new Map<string, number>(),
    limit: new Map<string, number>(),
  };

  function isPaused(scope: keyof typeof paused, name: string, at: number): boolean {
    const since = paused[scope].get(name);
    return since !== undefined && at >= since + overlapMs;
  }

  function whatPauses({ at }: BatchEvent, queue: string, asked: Asked | null): string | null {
    if (isPaused('queue', queue, at)) return `queue "${queue}"`;
    if (asked?.group != null && isPaused('group', asked.group, at)) return `group "${asked.group}"`;
    const limit = paused.limit.size === 0 ? undefined : asked?.limits?.find(({ name }) => isPaused('limit', name, at));
    return limit === undefined ? null : `limit "${limit.name}"`;
  }

  return {
    configured({ scope, name, paused: becomes }, at) {
      if (becomes === true) paused[scope].set(name, paused[scope].get(name) ?? at);
      else if (becomes === false) paused[scope].delete(name);
    },
    change(event, { taskId, queue }, asked) {
      const what = event.kind === 'claim' ? whatPauses(event, queue, asked) : null;
      if (what !== null) tell('S16', taskId, `event ${event.seq}: claimed although ${what} is paused`);
    },
  };
}
