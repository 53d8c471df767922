/** The rules of what a person should look at: each concern a sentence, why it is one, and the next thing to do. */

import { formatDuration } from '../core/duration.ts';
import type { ActivityDocument, HealthDocument } from '../operations/system.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { groupAlike } from './alike.ts';
import { type BeyondSigns, type Concern, type Signs, shellWord } from './concern.ts';
import { concernsBeyond } from './concerns-beyond.ts';
import { filterWord } from './filter-words.ts';
import { growthOf, queueConcerns } from './queue-concerns.ts';
import { count } from './words.ts';

/** The most severe first. */
export function findConcerns({ queues, workers, health, activity, beyond }: Signs): readonly Concern[] {
  const listening = workers.filter(({ state, concurrency }) => state !== 'silent' && concurrency > 0).length;
  const found = [
    ...workers.flatMap(vanishedOf),
    ...workers.flatMap(blockOf),
    ...lossesOf(health),
    ...refusedOf(health.relay),
    ...diskOf(health),
    ...queues.flatMap((queue) =>
      queueConcerns({ queue, workers: listening, activity, growth: growthOf(beyond, queue.name) }),
    ),
    ...(beyond === undefined ? [] : concernsBeyond(beyond, workers, activity, Date.parse(health.now))),
    ...workers.flatMap(stallOf),
    ...failingOf(activity, beyond),
    ...versionsOf(workers),
  ];
  return groupAlike(found).toSorted((a, b) => severity(a) - severity(b));
}

const severity = ({ look }: Concern): number => (look === 'failed' ? 0 : 1);

/** It took tasks with it: they are given to others when their leases end. */
function vanishedOf({ name, state, running, silentMs }: WorkerDocument): readonly Concern[] {
  if (state !== 'silent' || running === 0) return [];
  const tasks = running === 1 ? '1 task' : `${count(running)} tasks`;
  return [
    {
      look: 'failed',
      title: `Worker ${name} vanished with ${tasks}`,
      more: `Nothing was heard of it for ${formatDuration(silentMs)}. Its tasks are given to others when their leases end.`,
      command: 'taskflow worker list',
      action: { kind: 'tasks', q: 'state:running', word: 'Show running' },
      alike: { kind: 'vanished', name, tasks: running },
    },
  ];
}

const failuresShown = 5;
const failingPart = 0.2;

/** Tasks of which a good part fails for good, unless that is told as an error, or somebody has said of all of it to leave it alone. */
function failingOf(activity: ActivityDocument | null, beyond: BeyondSigns | undefined): readonly Concern[] {
  const { errors = [], quiet = [] } = beyond?.signs ?? {};
  const told = new Set([...errors.map(({ task }) => task), ...quiet]);
  return Object.entries(activity?.names ?? {})
    .filter(([name]) => !told.has(name))
    .filter(([, { failed, succeeded }]) => failed >= failuresShown && failed >= failingPart * (failed + succeeded))
    .sort(([, a], [, b]) => b.failed - a.failed)
    .map(([name, { failed, succeeded }]) => ({
      look: 'failed' as const,
      title: `${name} fails: ${count(failed)} of ${count(failed + succeeded)} that finished`,
      more: 'They have had all of their attempts and wait for somebody to look at them.',
      command: null,
      action: {
        kind: 'tasks' as const,
        q: `state:failed,quarantined name:${filterWord(name)}`,
        word: 'Show failed',
      },
      alike: { kind: 'failing' as const, name, tasks: failed },
    }));
}

function versionsOf(workers: readonly WorkerDocument[]): readonly Concern[] {
  const versions = new Set(
    workers.filter(({ state, concurrency }) => state === 'ready' && concurrency > 0).map(({ version }) => version),
  );
  if (versions.size < 2) return [];
  return [
    {
      look: 'retrying',
      title: `Workers of ${count(versions.size)} versions run side by side`,
      more: `${[...versions].sort().join(', ')}. Fine while a new version is rolled out.`,
      command: 'taskflow worker list',
    },
  ];
}

/** What the record lacks, or has not heard yet. */
function lossesOf({ record, lagMs, now }: HealthDocument): readonly Concern[] {
  if (record === null) return [];
  const { problem, gap, unrecorded, refused } = record;
  const concerns: Concern[] = [];
  if (problem !== null)
    concerns.push({
      look: 'failed',
      title: 'The record cannot be reached',
      more: `${problem.message} Tasks go on; lists and counts wait for it.`,
      command: 'taskflow db status',
    });
  if (gap !== null && Date.parse(now) - Date.parse(gap.to) < gapShownMs) {
    const back = gap.restored === 1 ? '1 task was' : `${count(gap.restored)} tasks were`;
    concerns.push({
      look: 'failed',
      title: `The live store lost what it had, ${formatDuration(Date.parse(now) - Date.parse(gap.to))} ago`,
      more: `${back} brought back from the record; those accepted ${gap.from === null ? 'shortly before' : `after ${gap.from}`} are gone.`,
      command: null,
    });
  }
  if (lagMs >= lagShownMs)
    concerns.push({
      look: 'retrying',
      title: `The record is ${formatDuration(lagMs)} behind`,
      more: 'Lists and counts show what was then. Why it does not follow is in the output of the servers.',
      command: null,
    });
  if (refused !== null)
    concerns.push({
      look: 'failed',
      title: `The record does not take ${unrecorded === 1 ? '1 task' : `${count(unrecorded)} tasks`}`,
      more: `${refused.id}: ${refused.problem}. All of them:`,
      command: 'taskflow db status',
    });
  return concerns;
}

const gapShownMs = 24 * 3_600_000;
const lagShownMs = 10_000;

/** They were promised by a commit, and nobody runs them. */
function refusedOf(relay: HealthDocument['relay']): readonly Concern[] {
  if (relay === null || (relay.setAside === 0 && relay.lagMs < relayShownMs)) return [];
  const { setAside, lagMs } = relay;
  const title =
    setAside === 0
      ? `Tasks of transactions have waited ${formatDuration(lagMs)} for the broker`
      : `The broker does not take ${setAside === 1 ? '1 task' : `${count(setAside)} tasks`} of your transactions`;
  const more = setAside === 0 ? 'A server or worker pushes them once a second.' : 'Each says why:';
  return [{ look: 'failed', title, more, command: 'taskflow relay list' }];
}

const relayShownMs = 30_000;

const diskShown = 0.8;
const diskFull = 0.95;

/** A store that cannot write takes no tasks. */
function diskOf({ disk, record }: HealthDocument): readonly Concern[] {
  if (disk === null) return [];
  const used = 1 - disk.freeBytes / disk.totalBytes;
  if (used < diskShown) return [];
  return [
    {
      look: used >= diskFull ? 'failed' : 'retrying',
      title: `The disk of the ${record === null ? 'store' : 'record'} is ${Math.floor(used * 100)} % full`,
      more: `${sizeWords(disk.freeBytes)} are left. Make room, or keep finished tasks for a shorter time:`,
      command: 'taskflow db status',
    },
  ];
}

/** "3.1 GB" */
function sizeWords(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'] as const;
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1_000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step] ?? ''}`;
}

/** A loop that stands for a second or two is nobody's concern. */
const blockShownMs = 3_000;

function blockOf({ name, state, blocked }: WorkerDocument): readonly Concern[] {
  if (blocked === null || blocked.forMs < blockShownMs || state === 'silent') return [];
  const { forMs, handlers, at } = blocked;
  const who = handlers.length === 0 ? 'No handler is in flight' : `In flight: ${handlers.join(', ')}`;
  return [
    {
      look: 'failed',
      title: `The event loop of ${name} has not turned for ${formatDuration(forMs)}`,
      more: `${who}${at === null ? '' : `; it stands at ${at}`}. Where exactly:`,
      command: `taskflow worker stack ${shellWord(name)}`,
      alike: { kind: 'blocked', name, tasks: 0 },
    },
  ];
}

/** Once is no concern of today; it is one of whoever looks after network and store. */
function stallOf({ name, state, stall }: WorkerDocument): readonly Concern[] {
  if (stall === null || state === 'silent') return [];
  const { forMs, waiting, agoMs } = stall;
  const lasted = formatDuration(forMs);
  return [
    {
      look: 'retrying',
      title: waiting === null ? `A call of ${name} to the store had no end` : `${name} was given no task for ${lasted}`,
      more: `${waiting === null ? `It was given up after ${lasted}` : `${count(waiting)} waited`}. It connected anew ${formatDuration(agoMs)} ago.`,
      command: null,
      alike: { kind: 'stalled', name, tasks: 0 },
    },
  ];
}
