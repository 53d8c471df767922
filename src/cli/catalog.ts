/** Every noun with its verbs in one line, so that help needs no command's code. */

import type { CommandFile } from './command.ts';

export interface Noun {
  readonly name: string;
  readonly group: 'Getting started' | 'Processes' | 'Tasks' | 'Other' | 'Proof';
  readonly summary: string;
  /** What stands behind the noun in the overview: verbs or arguments. */
  readonly usage: string;
  /** Whether it stands alone: `taskflow up`, not `taskflow up start`. */
  readonly alone: boolean;
  load(): Promise<CommandFile>;
}

export const nouns: readonly Noun[] = [
  {
    name: 'up',
    group: 'Getting started',
    usage: '',
    alone: true,
    summary: 'Start server, dashboard and worker; code is reloaded',
    load: () => import('./commands/up.ts'),
  },
  {
    name: 'run',
    group: 'Getting started',
    usage: '<task> [json]',
    alone: true,
    summary: 'Enqueue a task and wait for its result',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'explain',
    group: 'Getting started',
    usage: '<id>',
    alone: true,
    summary: 'Say why a task waits, or how it ended',
    load: () => import('./commands/explain.ts'),
  },
  {
    name: 'server',
    group: 'Processes',
    usage: 'start|stop|status',
    alone: false,
    summary: 'API, dashboard and the engine’s services',
    load: () => import('./commands/server.ts'),
  },
  {
    name: 'worker',
    group: 'Processes',
    usage: 'start|list|get|drain|resume|scale|stack|restart',
    alone: false,
    summary: 'Processes that run tasks',
    load: () => import('./commands/worker.ts'),
  },
  {
    name: 'task',
    group: 'Tasks',
    usage: 'list|get|run|cancel|retry|remove|update|move|run-now|logs|reveal',
    alone: false,
    summary: 'What was enqueued, and what became of it',
    load: () => import('./commands/task.ts'),
  },
  {
    name: 'flow',
    group: 'Tasks',
    usage: 'list|get|cancel',
    alone: false,
    summary: 'Tasks that belong together, as steps of a whole',
    load: () => import('./commands/flow.ts'),
  },
  {
    name: 'queue',
    group: 'Tasks',
    usage: 'list|get|peek|pause|resume|limit|purge',
    alone: false,
    summary: 'Lines of waiting tasks',
    load: () => import('./commands/queue.ts'),
  },
  {
    name: 'group',
    group: 'Tasks',
    usage: 'list|weight|pause|resume',
    alone: false,
    summary: 'Whose turn it is within a queue',
    load: () => import('./commands/group.ts'),
  },
  {
    name: 'limit',
    group: 'Tasks',
    usage: 'list|set|pause|resume',
    alone: false,
    summary: 'How many tasks run at once, and how fast they start',
    load: () => import('./commands/limit.ts'),
  },
  {
    name: 'schedule',
    group: 'Tasks',
    usage: 'list|get|run|pause|resume|delete|next|backfill',
    alone: false,
    summary: 'Tasks that run by the clock',
    load: () => import('./commands/schedule.ts'),
  },
  {
    name: 'error',
    group: 'Tasks',
    usage: 'list|get|retry|mute|resolve|reopen',
    alone: false,
    summary: 'Failures of one kind together',
    load: () => import('./commands/error.ts'),
  },
  {
    name: 'operation',
    group: 'Tasks',
    usage: 'list|get|stop',
    alone: false,
    summary: 'What was done to many tasks at once',
    load: () => import('./commands/operation.ts'),
  },
  {
    name: 'definition',
    group: 'Tasks',
    usage: 'list|get',
    alone: false,
    summary: 'The tasks that workers know',
    load: () => import('./commands/definition.ts'),
  },
  {
    name: 'relay',
    group: 'Tasks',
    usage: 'list|retry|drop',
    alone: false,
    summary: 'Tasks of your transactions on their way to the broker',
    load: () => import('./commands/relay.ts'),
  },
  {
    name: 'stats',
    group: 'Other',
    usage: 'timeline|depth',
    alone: false,
    summary: 'What ended, waited and ran in each minute',
    load: () => import('./commands/stats.ts'),
  },
  {
    name: 'audit',
    group: 'Other',
    usage: 'list',
    alone: false,
    summary: 'Who did what',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'token',
    group: 'Other',
    usage: 'create|list|revoke',
    alone: false,
    summary: 'Keys that let people and programs in',
    load: () => import('./commands/token.ts'),
  },
  {
    name: 'config',
    group: 'Other',
    usage: 'list|get|validate',
    alone: false,
    summary: 'Settings, and where each came from',
    load: () => import('./commands/config.ts'),
  },
  {
    name: 'db',
    group: 'Other',
    usage: 'migrate|status|move',
    alone: false,
    summary: 'The database behind the store',
    load: () => import('./commands/db.ts'),
  },
  {
    name: 'torture',
    group: 'Proof',
    usage: '',
    alone: true,
    summary: 'Kill and starve real processes, and have a judge look for broken promises',
    load: () => import('./commands/torture.ts'),
  },
  {
    name: 'version',
    group: 'Other',
    usage: '',
    alone: true,
    summary: 'Versions of TaskFlow and Node',
    load: () => import('./commands/version.ts'),
  },
];

/** The noun of a word; plurals are accepted silently. */
export function findNoun(word: string): Noun | undefined {
  return nouns.find((noun) => noun.name === word || `${noun.name}s` === word);
}

/** Verbs that mean one of ours, beside a command's own aliases. */
export const verbAliases: Readonly<Record<string, readonly string[]>> = {
  list: ['ls'],
  get: ['show'],
  run: ['new', 'add'],
  delete: ['rm'],
};
