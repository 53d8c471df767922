/** What was seen of a task, in lines for people. */

import type { BatchEvent } from '../core/events.ts';
import type { Line } from './story.ts';

/** Lines of context with a broken promise. */
export const contextMax = 20;

export function lineOf(line: Line): string {
  if ('event' in line) {
    const { event, item } = line;
    const why = item.reason === null ? '' : ` (${item.reason})`;
    return `store   ${event.at}  event ${event.seq}: ${event.kind} ${item.from ?? 'nothing'} → ${item.to ?? 'nothing'}${why}, attempt ${item.attempt}, version ${item.version}`;
  }
  if ('what' in line) {
    const more = [line.how, line.step, line.child?.taskId]
      .filter((word) => word !== undefined)
      .map((word) => ` ${word}`);
    return `handler ${Math.round(line.at)}  process ${line.pid}: ${line.what}${more.join('')}, epoch ${line.epoch}, attempt ${line.attempt}`;
  }
  const code = line.code === undefined ? '' : ` ${line.code}`;
  const asked = line.asked === undefined ? '' : ` ${JSON.stringify(line.asked)}`;
  return `client  ${Math.round(line.at)}  process ${line.pid}: ${line.step}${code}, request ${line.n}${asked}`;
}

export function eventLine(event: BatchEvent): string {
  return `store   ${event.at}  event ${event.seq}: ${event.kind} of ${event.items.length} tasks`;
}
