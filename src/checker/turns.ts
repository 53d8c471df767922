/** L6: while a group waits with a task that nothing holds back, no other is served much more often than its weight says. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import type { Asked, SettingEntry } from './evidence.ts';
import type { Tell } from './verdict.ts';

type Group = string | null;

export interface TurnBook {
  configured(setting: SettingEntry): void;
  change(event: BatchEvent, item: EventItem, asked: Asked | null): void;
}

/** A group as it waits in a queue, and how often each other one was served in the meantime. */
interface Waiting {
  /** With the time from which on each waits. */
  readonly taskIds: Map<string, number>;
  readonly overtaken: Map<Group, number>;
  /** Its weight when it was served last: so much it paid for that turn, and its next one is so far away. */
  paid: number;
}

/** A task is owed before a turn is, and one that was held back may be one ahead. */
const leadMax = 2;

/** `overlapMs`: a claim may not have seen what was queued so shortly before. */
export function createTurnBook(tell: Tell, overlapMs = 0): TurnBook {
  const queues = new Map<string, Map<Group, Waiting>>();
  /** Where each waiting task was counted: an edit may move it. */
  const places = new Map<string, Waiting>();
  const weights = new Map<string, number>();
  const paused = new Set<string>();

  const weightOf = (group: Group): number => (group === null ? 1 : (weights.get(group) ?? 1));

  function waitingOf(queue: string, group: Group): Waiting {
    const groups = queues.get(queue) ?? new Map<Group, Waiting>();
    queues.set(queue, groups);
    const waiting = groups.get(group) ?? { taskIds: new Map<string, number>(), overtaken: new Map(), paid: Infinity };
    groups.set(group, waiting);
    return waiting;
  }

  function leave(taskId: string): void {
    const waiting = places.get(taskId);
    if (waiting === undefined) return;
    places.delete(taskId);
    waiting.taskIds.delete(taskId);
    if (waiting.taskIds.size === 0) waiting.overtaken.clear();
  }

  function serve(event: BatchEvent, { taskId, queue }: EventItem, group: Group): void {
    const served = waitingOf(queue, group);
    served.overtaken.clear();
    served.paid = weightOf(group);
    for (const [other, { taskIds, overtaken, paid }] of queues.get(queue) ?? []) {
      if (other === group || taskIds.size === 0 || (other !== null && paused.has(other))) continue;
      const first = taskIds.entries().find(([, at]) => at <= event.at - overlapMs);
      if (first === undefined) continue;
      const times = (overtaken.get(group) ?? 0) + 1;
      overtaken.set(group, times);
      const most = Math.ceil(weightOf(group) / Math.min(weightOf(other), paid)) + leadMax;
      if (times > most)
        tell(
          'L6',
          first[0],
          `event ${event.seq}: it waited in ${other} while group ${group} of "${queue}" was served ${times} times, where ${most} may; ${taskId} was the last`,
        );
    }
  }

  return {
    configured({ scope, name, weight, paused: isPaused }) {
      if (scope !== 'group') return;
      if (weight !== undefined) weights.set(name, weight ?? 1);
      if (isPaused === true) paused.add(name);
      if (isPaused === false) paused.delete(name);
      // What was owed by the old settings is another matter.
      for (const groups of queues.values()) for (const { overtaken } of groups.values()) overtaken.clear();
    },
    change(event, item, asked) {
      // Whose request nobody wrote down may be of any group.
      if (asked === null) return;
      const group = asked.group ?? null;
      if (item.to !== 'queued') leave(item.taskId);
      if (item.to === 'running' && item.from !== 'running') serve(event, item, group);
      if (item.to !== 'queued') return;
      leave(item.taskId);
      if (!isFree(asked)) return;
      const waiting = waitingOf(item.queue, group);
      waiting.taskIds.set(item.taskId, event.at);
      places.set(item.taskId, waiting);
    },
  };
}

/** Whether nothing but its turn holds a queued task back. */
function isFree({ limits = [], startWithinMs = null, expiresInMs = null }: Asked): boolean {
  return limits.length === 0 && startWithinMs === null && expiresInMs === null;
}
