/** S16: nothing is claimed from a queue between its pause and its resumption. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

export interface PauseBook {
  configured(setting: Extract<SettingEntry, { readonly queue: string }>): void;
  change(event: BatchEvent, item: EventItem): void;
}

export function createPauseBook(tell: Tell): PauseBook {
  const paused = new Set<string>();
  return {
    configured({ queue, paused: isPaused }) {
      if (isPaused) paused.add(queue);
      else paused.delete(queue);
    },
    change(event, { taskId, queue }) {
      if (event.kind === 'claim' && paused.has(queue))
        tell('S16', taskId, `event ${event.seq}: claimed from "${queue}", which is paused`);
    },
  };
}
