/** What a recorder stores next: the first of the events it has read, whom to read for them, and what it remembers of others. */

import type { BatchEvent, EventItem } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { createTellings, isMove, type Tellings } from '../core/tellings.ts';
import type { Known } from '../history/recording.ts';

/** Events whose tasks are stored at once. */
export interface Taken {
  readonly events: readonly BatchEvent[];
  /** What they tell of tasks that are not recorded as far, or were changed in another way than by going on. */
  readonly told: Tellings;
  /** How many of them are to be read. */
  readonly wanted: number;
  /** How others were recorded before of whom more than that they went on is told: that they ended, most of all. */
  readonly known: ReadonlyMap<string, Known>;
}

/** The first events whose tasks are stored at once. Each task is looked up as seldom as can be: that is what most of this costs. */
export function takeEvents(events: readonly BatchEvent[], versions: Versions): Taken {
  const taken: BatchEvent[] = [];
  const { told, tell } = createTellings();
  const known = new Map<string, Known>();
  let wanted = 0;
  for (const event of events) {
    if (wanted >= limits.recordMax) break;
    taken.push(event);
    const { kind, items } = event;
    // What the live store prunes is kept by the record as it is.
    if (kind === 'prune') continue;
    for (const item of items) {
      const before = told.get(item.taskId);
      const recorded = before === undefined ? recordedOf(kind, item, versions) : undefined;
      if (recorded === undefined) {
        // What was removed has no body any more.
        const isWanted = kind !== 'remove';
        if (isWanted && before?.isWanted !== true) wanted += 1;
        tell(kind, item, before, isWanted);
        continue;
      }
      const goesOn = isMove(kind, item);
      if (!goesOn || (item.to !== null && isFinished(item.to))) known.set(item.taskId, recorded);
      if (!goesOn) tell(kind, item, before, false);
      if (recorded.version === item.version) versions.remove(item.taskId);
    }
  }
  return { events: taken, told, wanted, known };
}

/** How the task was recorded, if that was as far as this event. */
function recordedOf(kind: BatchEvent['kind'], item: EventItem, versions: Versions): Known | undefined {
  // A task that comes into the store begins another life, whose versions begin anew.
  if (item.from === null || kind === 'remove') return undefined;
  const recorded = versions.of(item.taskId);
  return recorded === undefined || recorded.version < item.version ? undefined : recorded;
}

export interface Versions {
  readonly of: (taskId: string) => Known | undefined;
  readonly add: (task: Task) => void;
  /** The events have come to where it was read. */
  readonly remove: (taskId: string) => void;
}

/**
 * How the tasks were recorded that were ahead of their events: behind a lag a task is read as it stands now, and the events that led
 * there come after.
 */
export function createVersions(): Versions {
  let [older, newer] = [new Map<string, Known>(), new Map<string, Known>()];
  return {
    of: (taskId) => newer.get(taskId) ?? (older.size === 0 ? undefined : older.get(taskId)),
    add({ id, version, dueAt, claimedAt, startedAt, finishedAt }) {
      newer.set(id, { version, dueAt, claimedAt, startedAt, finishedAt });
      if (newer.size >= limits.versionsMax) [older, newer] = [newer, new Map()];
    },
    remove(taskId) {
      newer.delete(taskId);
      if (older.size > 0) older.delete(taskId);
    },
  };
}
