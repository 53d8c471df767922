/** S16: nothing is claimed from a queue between its pause and its resumption. */

import type { BatchEvent } from '../../src/core/events.ts';
import type { Insight } from './run-history.ts';
import type { Tell } from './task-story.ts';

export function checkPauses(events: readonly BatchEvent[], { pauses }: Pick<Insight, 'pauses'>, tell: Tell): void {
  const bySeq = Map.groupBy(pauses, ({ seq }) => seq);
  const paused = new Set<string>();
  for (const event of events) {
    for (const { queue, paused: isPaused } of bySeq.get(event.seq) ?? []) {
      if (isPaused) paused.add(queue);
      else paused.delete(queue);
    }
    if (event.kind !== 'claim') continue;
    for (const { taskId, queue } of event.items)
      if (paused.has(queue)) tell('S16', taskId, `event ${event.seq}: claimed from "${queue}", which is paused`);
  }
}
