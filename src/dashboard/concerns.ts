/** The rules of what a person should look at: each concern a sentence, why it is one, and the next thing to do. */

import { formatDuration } from '../core/duration.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { ActivityDocument, HealthDocument, QueueActivityDocument } from '../operations/system.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { filterWord } from './filter-words.ts';
import type { ShownView } from './glyphs.tsx';
import { count } from './words.ts';

/** What a click does about a concern: shows the tasks of a filter, or lets a queue go on. */
export type ConcernAction =
  | { readonly kind: 'tasks'; readonly q: string; readonly word: string }
  | { readonly kind: 'resume'; readonly queue: string };

export interface Concern {
  readonly look: ShownView;
  readonly title: string;
  readonly more: string;
  readonly command: string | null;
  readonly action?: ConcernAction;
}

export interface Signs {
  readonly queues: readonly QueueDocument[];
  readonly workers: readonly WorkerDocument[];
  readonly health: HealthDocument;
  /** `null` while the record is away. */
  readonly activity: ActivityDocument | null;
}

/** The most severe first. */
export function findConcerns({ queues, workers, health, activity }: Signs): readonly Concern[] {
  const listening = workers.filter(({ state, concurrency }) => state !== 'silent' && concurrency > 0).length;
  const found = [
    ...workers.flatMap(vanishedOf),
    ...workers.flatMap(blockOf),
    ...lossesOf(health),
    ...refusedOf(health.relay),
    ...queues.flatMap((queue) => concernsOf(queue, listening, activity)),
    ...workers.flatMap(stallOf),
    ...failingOf(activity),
    ...versionsOf(workers),
  ];
  return found.toSorted((a, b) => severity(a) - severity(b));
}

/** A queue may have any name, also that of a property every object has. */
export function activityOf(activity: ActivityDocument | null, queue: string): QueueActivityDocument | undefined {
  return activity !== null && Object.hasOwn(activity.queues, queue) ? activity.queues[queue] : undefined;
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
    },
  ];
}

const failuresShown = 5;
const failingPart = 0.2;

/** Tasks of which a good part fails for good. */
function failingOf(activity: ActivityDocument | null): readonly Concern[] {
  return Object.entries(activity?.names ?? {})
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
    },
  ];
}

function concernsOf(queue: QueueDocument, workers: number, activity: ActivityDocument | null): readonly Concern[] {
  const { name, waiting, pause } = queue;
  if (waiting === 0) return [];
  const tasks = waiting === 1 ? '1 waiting task' : `${count(waiting)} waiting tasks`;
  const show = { kind: 'tasks', q: `state:queued queue:${filterWord(name)}`, word: 'Show tasks' } as const;
  if (pause !== null) {
    const why = pause.reason === null ? '' : ` (${pause.reason})`;
    return [
      {
        look: 'retrying',
        title: `Queue ${name} is paused and has ${tasks}`,
        more: `Paused by ${pause.by}${why}.`,
        command: `taskflow queue resume ${shellWord(name)}`,
        action: { kind: 'resume', queue: name },
      },
    ];
  }
  if (queue.workers === 0) {
    const more =
      workers === 0
        ? 'No worker runs. Start one:'
        : `No worker listens on it; ${workers === 1 ? '1 worker listens' : `${count(workers)} workers listen`} on other queues. Start one:`;
    return [
      {
        look: 'failed',
        title: `Queue ${name} has ${tasks} and no worker`,
        more,
        command: `taskflow worker start --queues ${shellWord(name)}`,
        action: show,
      },
    ];
  }
  const behindMs = queue.oldestWaitMs ?? 0;
  if (behindMs < 60_000) return [];
  const busy =
    queue.running >= queue.slots
      ? `All ${count(queue.slots)} slots are busy.`
      : `${count(queue.running)} of ${count(queue.slots)} slots are busy; open the oldest task to see why it waits.`;
  return [
    {
      look: 'retrying',
      title: `Queue ${name} is ${formatDuration(behindMs)} behind`,
      more: `${tasks}. ${busy}${paceWords(activity, name, waiting)}`,
      command: null,
      action: show,
    },
  ];
}

/** How long the queue takes at the pace of the last minutes. */
function paceWords(activity: ActivityDocument | null, name: string, waiting: number): string {
  const perMinute = activityOf(activity, name)?.perMinute ?? 0;
  if (perMinute <= 0) return '';
  return ` At ${count(Math.max(1, Math.round(perMinute)))} a minute what waits now takes ${formatDuration((waiting / perMinute) * 60_000)}.`;
}

/** A word as a shell takes it. */
function shellWord(text: string): string {
  return /^[\w.:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
