/** S16: nothing is claimed that is paused, by its queue, its group or one of its limits, until it is resumed. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { Asked, SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

export interface PauseBook {
  configured(setting: SettingEntry): void;
  change(event: BatchEvent, item: EventItem, asked: Asked | null): void;
}

export function createPauseBook(tell: Tell): PauseBook {
  const paused = { queue: new Set<string>(), group: new Set<string>(), limit: new Set<string>() };

  function whatPauses(queue: string, asked: Asked | null): string | null {
    if (paused.queue.has(queue)) return `queue "${queue}"`;
    if (asked?.group != null && paused.group.has(asked.group)) return `group "${asked.group}"`;
    const limit = paused.limit.size === 0 ? undefined : asked?.limits?.find(({ name }) => paused.limit.has(name));
    return limit === undefined ? null : `limit "${limit.name}"`;
  }

  return {
    configured({ scope, name, paused: isPaused }) {
      if (isPaused === true) paused[scope].add(name);
      else if (isPaused === false) paused[scope].delete(name);
    },
    change(event, { taskId, queue }, asked) {
      const what = event.kind === 'claim' ? whatPauses(queue, asked) : null;
      if (what !== null) tell('S16', taskId, `event ${event.seq}: claimed although ${what} is paused`);
    },
  };
}
