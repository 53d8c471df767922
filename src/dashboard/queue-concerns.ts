/** The rules of what a person should look at in a queue: nobody serves it, it is held, or it falls behind. */

import { formatDuration } from '../core/duration.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { GrowthDocument } from '../operations/signs.ts';
import type { ActivityDocument } from '../operations/system.ts';
import { activityOf, type BeyondSigns, type Concern, shellWord } from './concern.ts';
import { filterWord } from './filter-words.ts';
import { count } from './words.ts';

export interface QueueSigns {
  readonly queue: QueueDocument;
  /** Living workers that listen anywhere. */
  readonly workers: number;
  readonly activity: ActivityDocument | null;
  /** Absent where it does not grow. */
  readonly growth: GrowthDocument | undefined;
}

export function growthOf(beyond: BeyondSigns | undefined, name: string): GrowthDocument | undefined {
  return beyond?.signs.growing.find(({ queue }) => queue === name);
}

export function queueConcerns(signs: QueueSigns): readonly Concern[] {
  const { name, waiting, pause, workers } = signs.queue;
  if (waiting === 0) return [];
  if (pause !== null) return [pausedConcern(signs)];
  if (workers === 0) return [noWorkerConcern(signs)];
  return (signs.queue.oldestWaitMs ?? 0) < behindMs && signs.growth === undefined ? [] : [behindConcern(signs, name)];
}

const behindMs = 60_000;

const tasksWords = (waiting: number): string => (waiting === 1 ? '1 waiting task' : `${count(waiting)} waiting tasks`);

const showTasks = (name: string) =>
  ({ kind: 'tasks', q: `state:queued queue:${filterWord(name)}`, word: 'Show tasks' }) as const;

/** " and grows by 34 a minute" */
function growthWords(growth: GrowthDocument | undefined): string {
  return growth === undefined ? '' : ` and grows by ${count(Math.max(1, Math.round(growth.perMinute)))} a minute`;
}

function pausedConcern({ queue: { name, waiting, pause }, growth }: QueueSigns): Concern {
  const why = pause?.reason == null ? '' : ` (${pause.reason})`;
  return {
    look: growth === undefined ? 'retrying' : 'failed',
    title: `Queue ${name} is paused and has ${tasksWords(waiting)}${growthWords(growth)}`,
    more: `Paused by ${pause?.by ?? ''}${why}.`,
    command: `taskflow queue resume ${shellWord(name)}`,
    action: { kind: 'resume', queue: name },
    alike: { kind: 'paused', name, tasks: waiting },
  };
}

function noWorkerConcern({ queue: { name, waiting }, workers, growth }: QueueSigns): Concern {
  const elsewhere = workers === 1 ? '1 worker listens' : `${count(workers)} workers listen`;
  const more =
    workers === 0 ? 'No worker runs. Start one:' : `No worker listens on it; ${elsewhere} on other queues. Start one:`;
  return {
    look: 'failed',
    title: `Queue ${name} has ${tasksWords(waiting)} and no worker${growthWords(growth)}`,
    more,
    command: `taskflow worker start --queues ${shellWord(name)}`,
    action: showTasks(name),
    alike: { kind: 'no_worker', name, tasks: waiting },
  };
}

function behindConcern({ queue, activity, growth }: QueueSigns, name: string): Concern {
  const { waiting, running, slots } = queue;
  const busy =
    running >= slots
      ? `All ${count(slots)} slots are busy.`
      : `${count(running)} of ${count(slots)} slots are busy; open the oldest task to see why it waits.`;
  const title =
    (queue.oldestWaitMs ?? 0) < behindMs
      ? `Queue ${name} has ${tasksWords(waiting)}${growthWords(growth)}`
      : `Queue ${name} is ${formatDuration(queue.oldestWaitMs ?? 0)} behind${growthWords(growth)}`;
  return {
    look: 'retrying',
    title,
    more: `${tasksWords(waiting)}. ${busy}${levelWords(queue, activity, growth) || paceWords(activity, name, waiting)}`,
    command: null,
    action: showTasks(name),
    alike: { kind: 'behind', name, tasks: waiting },
  };
}

/** How many slots more would hold it level: at the pace of the slots it has. Only of those that are all busy. */
function levelWords(
  { name, running, slots }: QueueDocument,
  activity: ActivityDocument | null,
  growth?: GrowthDocument,
) {
  const perSlot = (activityOf(activity, name)?.perMinute ?? 0) / slots;
  if (growth === undefined || slots === 0 || running < slots || perSlot <= 0) return '';
  const more = Math.ceil(growth.perMinute / perSlot);
  return ` ${more === 1 ? '1 more slot' : `${count(more)} more slots`} would hold it level.`;
}

/** How long the queue takes at the pace of the last minutes. */
function paceWords(activity: ActivityDocument | null, name: string, waiting: number): string {
  const perMinute = activityOf(activity, name)?.perMinute ?? 0;
  if (perMinute <= 0) return '';
  return ` At ${count(Math.max(1, Math.round(perMinute)))} a minute what waits now takes ${formatDuration((waiting / perMinute) * 60_000)}.`;
}
