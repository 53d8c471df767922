/** The rules of what a person should look at that need more than the numbers of this moment: errors, schedules, names nobody knows, runs that last. */

import { formatDuration } from '../core/duration.ts';
import { nearest } from '../core/nearest.ts';
import type { ErrorSignDocument, ScheduleSignDocument } from '../operations/signs.ts';
import type { ActivityDocument } from '../operations/system.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { type BeyondSigns, type Concern, shellWord } from './concern.ts';
import { filterWord } from './filter-words.ts';
import { ago, count, exactTime } from './words.ts';

export function concernsBeyond(
  { signs, counts, running }: BeyondSigns,
  workers: readonly WorkerDocument[],
  activity: ActivityDocument | null,
  now: number,
): readonly Concern[] {
  return [
    ...signs.errors.map((error) => errorConcern(error, now)),
    ...unknownOf(counts.waiting, workers),
    ...signs.schedules.map(scheduleConcern),
    ...longRuns(running, activity, now),
  ];
}

const messageShown = 120;

function errorConcern(error: ErrorSignDocument, now: number): Concern {
  const { message, task, fingerprint, lastHour, sign, times, firstSeenAt, newestId } = error;
  const line = message.split('\n', 1)[0] ?? '';
  const shown = line.length > messageShown ? `${line.slice(0, messageShown)}…` : line;
  const said = {
    new: `New: first seen ${ago(firstSeenAt, now)}.`,
    regressed: 'It was resolved, and is back.',
    faster: `${times === null ? '' : `${Math.round(times)} times as many as in an hour of the day before.`}`,
  }[sign];
  return {
    look: 'failed',
    title: `${shown === '' ? error.errorName : shown} – ${count(lastHour)} ${lastHour === 1 ? 'task' : 'tasks'} of ${task} in the last hour`,
    more: `${said} The newest one:`,
    command: `taskflow task get ${newestId}`,
    action: { kind: 'error', fingerprint },
  };
}

const namesShown = 3;

/** Without a worker there is nobody to know a name: that is said of its queue. */
function unknownOf(waiting: Readonly<Record<string, number>>, workers: readonly WorkerDocument[]): readonly Concern[] {
  const ready = workers.filter(({ state, concurrency }) => state === 'ready' && concurrency > 0);
  if (ready.length === 0) return [];
  const known = new Set(ready.flatMap(({ tasks }) => tasks));
  return Object.entries(waiting)
    .filter(([name]) => !known.has(name))
    .sort(([, a], [, b]) => b - a)
    .slice(0, namesShown)
    .map(([name, number]) => {
      const near = nearest(name, known);
      const meant = near === null ? '' : ` They know ${near}.`;
      return {
        look: 'failed' as const,
        title: `No worker knows the task ${name}: ${number === 1 ? '1 waits' : `${count(number)} wait`}`,
        more: `${ready.length === 1 ? 'The worker that runs does' : `The ${count(ready.length)} workers that run do`} not have it.${meant} Deploy it, or see what they have:`,
        command: 'taskflow worker list',
        action: {
          kind: 'tasks' as const,
          q: `state:queued,scheduled,retrying,blocked name:${filterWord(name)}`,
          word: 'Show tasks',
        },
      };
    });
}

function scheduleConcern({ name, sign, at, count: times }: ScheduleSignDocument): Concern {
  const many = times === null ? 'many times' : times === 1 ? 'once' : `${count(times)} times`;
  const page = { kind: 'page', path: `schedules/${encodeURIComponent(name)}`, word: 'Show schedule' } as const;
  if (sign === 'late')
    return {
      look: 'failed',
      title: `Schedule ${name} is due and nothing fires it`,
      more: `It was due at ${exactTime(at)}. A server or worker that runs fires it; what keeps them is in their output.`,
      command: 'taskflow worker list',
      action: page,
      alike: { kind: 'late', name, tasks: 0 },
    };
  return {
    look: 'retrying',
    title: `Schedule ${name} was missed ${many}`,
    more: `Nothing ran when it was due, first at ${exactTime(at)}. Run what is missing:`,
    command: `taskflow schedule backfill ${shellWord(name)} --from ${at}`,
    action: page,
    alike: { kind: 'missed', name, tasks: 0 },
  };
}

const longTimes = 10;
const longMs = 60_000;
const longShown = 2;

/** Runs that last many times as long as others of their name. */
function longRuns(
  running: readonly ListedTaskDocument[],
  activity: ActivityDocument | null,
  now: number,
): readonly Concern[] {
  return running
    .flatMap((task) => {
      const names = activity?.names ?? {};
      const usual = Object.hasOwn(names, task.name) ? (names[task.name]?.meanRunMs ?? null) : null;
      const forMs = task.startedAt === null ? 0 : now - Date.parse(task.startedAt);
      return usual !== null && forMs >= longMs && forMs >= longTimes * usual ? [{ task, usual, forMs }] : [];
    })
    .sort((a, b) => b.forMs - a.forMs)
    .slice(0, longShown)
    .map(({ task, usual, forMs }) => ({
      look: 'retrying' as const,
      title: `${task.name} has run for ${formatDuration(forMs)}, and usually takes ${formatDuration(usual)}`,
      more: 'Its logs and progress say how far it is; where it stands:',
      command: `taskflow task get ${task.id}`,
      action: { kind: 'page' as const, path: `tasks/${task.id}`, word: 'Show task' },
    }));
}
