/** Tells concerns that are alike in one sentence where they are many, so that they do not hide everything else. */

import type { Alike, Concern } from './concern.ts';
import { count } from './words.ts';

/** So many of a kind are told one by one, and so many names of more. */
const namesShown = 3;

/** The concerns in their order; those of a kind of which there are more than a few are one, in the place of the first. */
export function groupAlike(concerns: readonly Concern[]): readonly Concern[] {
  const byKind = Map.groupBy(concerns, ({ alike }) => alike?.kind ?? null);
  const told = new Set<Alike['kind']>();
  return concerns.flatMap((concern) => {
    const kind = concern.alike?.kind;
    const like = kind === undefined ? [] : (byKind.get(kind) ?? []);
    if (kind === undefined || like.length <= namesShown) return [concern];
    if (told.has(kind)) return [];
    told.add(kind);
    return [together(kind, like)];
  });
}

/** As severe as the most severe of them. */
function together(kind: Alike['kind'], concerns: readonly Concern[]): Concern {
  const all = concerns.flatMap(({ alike }) => alike ?? []).toSorted((a, b) => b.tasks - a.tasks);
  const names = all.slice(0, namesShown).map(({ name }) => name);
  const { title, ...rest } = kinds[kind](
    all.length,
    all.reduce((sum, { tasks }) => sum + tasks, 0),
  );
  return {
    look: concerns.some(({ look }) => look === 'failed') ? 'failed' : 'retrying',
    title: `${title}: ${names.join(', ')} and ${count(all.length - names.length)} more`,
    ...rest,
  };
}

type Words = Omit<Concern, 'look' | 'alike'>;

const showQueues = { kind: 'page', path: '#queues', word: 'Show queues' } as const;
const showSchedules = { kind: 'page', path: 'schedules', word: 'Show schedules' } as const;

/** Of so many of a kind, which have so many tasks together; the names come behind the title. */
const kinds: Readonly<Record<Alike['kind'], (number: number, tasks: number) => Words>> = {
  no_worker: (number, tasks) => ({
    title: `${count(number)} queues have no worker`,
    more: `${count(tasks)} tasks wait in them. Start workers that listen on them (--queues). All of them:`,
    command: 'taskflow queue list',
    action: showQueues,
  }),
  paused: (number, tasks) => ({
    title: `${count(number)} queues are paused`,
    more: `${count(tasks)} tasks wait in them. By whom and why:`,
    command: 'taskflow queue list',
    action: showQueues,
  }),
  behind: (number, tasks) => ({
    title: `${count(number)} queues fall behind`,
    more: `${count(tasks)} tasks wait in them. How long, and with how many slots:`,
    command: 'taskflow queue list',
    action: showQueues,
  }),
  vanished: (number, tasks) => ({
    title: `${count(number)} workers vanished with ${count(tasks)} tasks`,
    more: 'Nothing is heard of them. Their tasks are given to others when their leases end.',
    command: 'taskflow worker list',
    action: { kind: 'tasks', q: 'state:running', word: 'Show running' },
  }),
  blocked: (number) => ({
    title: `The event loops of ${count(number)} workers do not turn`,
    more: 'Where each stands is told by taskflow worker stack. All of them:',
    command: 'taskflow worker list',
  }),
  stalled: (number) => ({
    title: `${count(number)} workers had to connect anew to the store`,
    more: 'They were given nothing, or a call had no end: so many at once are the network, or the store.',
    command: 'taskflow worker list',
  }),
  failing: (number, tasks) => ({
    title: `${count(number)} kinds of tasks fail`,
    more: `${count(tasks)} have had all of their attempts and wait for somebody to look at them.`,
    command: null,
    action: { kind: 'tasks', q: 'state:failed,quarantined', word: 'Show failed' },
  }),
  late: (number) => ({
    title: `${count(number)} schedules are due and nothing fires them`,
    more: 'A server or worker that runs fires them; what keeps them is in their output.',
    command: 'taskflow worker list',
    action: showSchedules,
  }),
  missed: (number) => ({
    title: `${count(number)} schedules were missed`,
    more: 'Nothing ran when they were due. What is missing is run by taskflow schedule backfill. All of them:',
    command: 'taskflow schedule list',
    action: showSchedules,
  }),
};
