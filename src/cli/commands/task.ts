/** `taskflow task list|get|run|cancel|retry|remove|update|move|run-now|logs|reveal` */

import { taskFlowError } from '../../core/errors.ts';
import { filterFields } from '../../core/filter.ts';
import { isFinished } from '../../core/states.ts';
import type { Operation } from '../../operations/operation.ts';
import {
  type TaskListDocument,
  taskCancel,
  taskExplain,
  taskGet,
  taskList,
  taskLogs,
  taskRemove,
  taskRetry,
} from '../../operations/task.ts';
import { taskRunNow, taskUpdate } from '../../operations/task-change.ts';
import type { LogDocument, TaskRecordDocument } from '../../operations/task-document.ts';
import { taskReveal } from '../../operations/task-reveal.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import { readIds } from '../ids.ts';
import type { View } from '../output.ts';
import { type Session, withSession } from '../session.ts';
import { taskLines, taskView } from '../task-view.ts';
import { glyphOf, mark, paint, type Style } from '../terminal.ts';
import { clockTime } from '../times.ts';
import { taskRun } from './run.ts';

const idArguments = [
  {
    syntax: '<id...>',
    description: 'Ids, whole or their first 8 or more characters; - reads them from standard input',
  },
];

const list: CommandSpec = {
  name: 'list',
  summary: 'List tasks, newest first',
  options: [
    { flags: '--state <states>', description: 'queued, running, failed, retrying, ...' },
    { flags: '--name <names>', description: 'Names of tasks; email.* is a beginning' },
    { flags: '--queue <queues>', description: 'Only of these queues', aliases: ['--queues <queues>'] },
    { flags: '--tag <tags>', description: 'Only with one of these tags' },
    { flags: '--since <time>', description: '6h, 2d, 2026-11-20' },
    { flags: '--until <time>', description: '1h, 2026-11-22' },
    {
      flags: '--filter <text>',
      description: `The filter language: ${Object.keys(filterFields).slice(0, 6).join(', ')}, ...`,
    },
    { flags: '--limit <n>', description: 'Rows of one page (default: 50)' },
    { flags: '--after <cursor>', description: 'Where the page before ended' },
  ],
  example: `taskflow task list --state failed,retrying --since 6h --filter 'error:"SMTP 451"'`,
  run: (call) =>
    withSession(call, async (session) => {
      const q = filterText(call);
      const limit = call.text('limit');
      const after = call.text('after');
      const page = await firstWithTasks(session, {
        q,
        ...(limit === undefined ? {} : { limit }),
        ...(after === undefined ? {} : { after }),
      });
      call.output.list(taskView, page.tasks);
      if (page.tasks.length === 0 && page.next === null)
        call.output.note(q === '' ? 'There are no tasks yet: taskflow run NAME' : `No tasks match ${q}`);
      if (page.scanned === 'newest')
        call.output.warn('Only the newest tasks were searched for this filter; --after searches further back.');
      if (page.next !== null)
        call.output.note(`${page.tasks.length} shown ${mark(call.output.notes, 'dot')} more: --after ${page.next}`);
      return 0;
    }),
};

/** Pages may have fewer tasks than there is room for, and none, since bulk operations are left out of them. */
const emptyPagesMax = 20;

async function firstWithTasks({ ask }: Session, input: object): Promise<TaskListDocument> {
  let page = await ask(taskList, input);
  for (let pages = 1; page.tasks.length === 0 && page.next !== null && pages < emptyPagesMax; pages++)
    page = await ask(taskList, { ...input, after: page.next });
  return page;
}

/** The short options are terms of the filter language, so that they mean the same everywhere. */
function filterText(call: Call): string {
  const term = (field: string, option: string): string[] => {
    const values = call.list(option).map(quoted);
    return values.length === 0 ? [] : [`${field}:${values.join(',')}`];
  };
  return [
    ...term('state', 'state'),
    ...term('name', 'name'),
    ...term('queue', 'queue'),
    ...term('queue', 'queues'),
    ...term('tag', 'tag'),
    ...term('since', 'since'),
    ...term('until', 'until'),
    ...(call.text('filter') === undefined ? [] : [call.text('filter') ?? '']),
  ].join(' ');
}

function quoted(value: string): string {
  if (/^[\w.:/@+-]+\*?$/.test(value)) return value;
  const starred = value.endsWith('*');
  return `"${(starred ? value.slice(0, -1) : value).replace(/["\\]/g, '\\$&')}"${starred ? '*' : ''}`;
}

const get: CommandSpec = {
  name: 'get',
  summary: 'Show tasks with their input, result, runs and timeline',
  arguments: idArguments,
  example: 'taskflow task get 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    eachTask(call, taskGet, {
      view: { id: (task) => task.id, columns: [] },
      lines: async (task, session) => taskLines(call.output.terminal, task, await whyOf(session, task)),
    }),
};

const reveal: CommandSpec = {
  name: 'reveal',
  summary: 'Show tasks with what is hidden of them; the audit says who looked',
  arguments: idArguments,
  example: 'taskflow task reveal 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    eachTask(call, taskReveal, {
      view: { id: (task) => task.id, columns: [] },
      lines: async (task, session) => taskLines(call.output.terminal, task, await whyOf(session, task)),
    }),
};

/** The first gate that holds a task back, in words; `null` for one that has ended or runs. */
async function whyOf(session: Session, task: TaskRecordDocument): Promise<string | null> {
  if (isFinished(task.state) || task.state === 'running') return null;
  const explanation = await session.ask(taskExplain, { id: task.id }).catch(() => null);
  return explanation?.gates[0]?.sentence ?? null;
}

const cancel: CommandSpec = {
  name: 'cancel',
  summary: 'Cancel tasks that have not finished',
  arguments: idArguments,
  options: [{ flags: '--reason <text>', description: 'Why, for those who look later' }],
  example: 'taskflow task cancel 01K8Q2M4ZJ7F0C7Y --reason "wrong customer"',
  run: (call) => {
    const reason = call.text('reason');
    return eachTask(call, taskCancel, {
      input: reason === undefined ? {} : { reason },
      view: outcomeView,
      lines: (document) => [
        outcomeLine(
          call,
          document.outcome === 'cancelled' ? 'cancelled' : 'running',
          document.id,
          document.outcome === 'cancelled' ? 'cancelled' : 'is asked to stop',
        ),
      ],
    });
  },
};

const retry: CommandSpec = {
  name: 'retry',
  summary: 'Run finished tasks again, with all of their attempts',
  arguments: idArguments,
  example: 'taskflow task list --state failed --since 6h -o id | taskflow task retry -',
  run: (call) =>
    eachTask(call, taskRetry, {
      view: outcomeView,
      lines: (document) => [
        outcomeLine(call, 'queued', document.id, `queued again (generation ${document.generation})`),
      ],
    }),
};

const remove: CommandSpec = {
  name: 'remove',
  summary: 'Remove finished tasks with their logs and results',
  arguments: idArguments,
  example: 'taskflow task remove 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    eachTask(call, taskRemove, {
      view: outcomeView,
      lines: (document) => [outcomeLine(call, 'cancelled', document.id, 'removed')],
    }),
};

const update: CommandSpec = {
  name: 'update',
  summary: 'Change the queue, priority, time or tags of tasks that wait',
  arguments: idArguments,
  options: [
    { flags: '--queue <queue>', description: 'Move them to this queue' },
    { flags: '--priority <priority>', description: 'urgent, high, normal, low, or 0 (first) to 9 (last)' },
    { flags: '--delay <duration>', description: 'Wait this long from now; 0 is now' },
    { flags: '--at <time>', description: 'Do not run before this time' },
    { flags: '--tag <tags>', description: 'Tags in place of those they have; none takes them away' },
  ],
  example: 'taskflow task update 01K8Q2M4ZJ7F0C7Y --priority high --delay 10m',
  run: (call) => changeEach(call, changeOf(call)),
};

const move: CommandSpec = {
  name: 'move',
  summary: 'Move tasks that wait to another queue',
  arguments: idArguments,
  options: [{ flags: '--to <queue>', description: 'The queue they move to' }],
  example: 'taskflow task list --queue email --state queued -o id | taskflow task move - --to email-slow',
  run(call) {
    const queue = call.text('to');
    if (queue === undefined) throw taskFlowError('USAGE', { problem: 'Where to? Say it with --to <queue>.' });
    return changeEach(call, { queue });
  },
};

const runNow: CommandSpec = {
  name: 'run-now',
  summary: 'Let tasks that wait for their time, or for their next attempt, run now',
  arguments: idArguments,
  example: 'taskflow task run-now 01K8Q2M4ZJ7F0C7Y',
  run: (call) =>
    eachTask(call, taskRunNow, {
      view: outcomeView,
      lines: (document) => [outcomeLine(call, 'queued', document.id, `is ${document.state}`)],
    }),
};

/** What the options say is to change; throws USAGE where they say nothing. */
function changeOf(call: Call): object {
  const given = ['queue', 'priority', 'delay', 'at'].flatMap((option) => {
    const text = call.text(option);
    const isNumber = (option === 'priority' || option === 'delay') && text !== undefined && /^\d+$/.test(text);
    return text === undefined ? [] : [[option, isNumber ? Number(text) : text] as const];
  });
  const tags = call.list('tag');
  const change = { ...Object.fromEntries(given), ...(tags.length > 0 && { tags: tags[0] === 'none' ? [] : tags }) };
  if (Object.keys(change).length === 0)
    throw taskFlowError(
      'USAGE',
      { problem: 'What is to change?' },
      { hint: 'Say it with --queue, --priority, --delay, --at or --tag.' },
    );
  return change;
}

function changeEach(call: Call, input: object): Promise<number> {
  return eachTask(call, taskUpdate, {
    input,
    view: outcomeView,
    lines: (document) => [outcomeLine(call, 'queued', document.id, `changed (${document.state})`)],
  });
}

const logs: CommandSpec = {
  name: 'logs',
  summary: 'Show what a task logged',
  arguments: [{ syntax: '<id>', description: 'Id, whole or its first 8 or more characters' }],
  options: [
    {
      flags: '--level <level>',
      description: 'Least important line to show: debug, info, warn, error (default: debug)',
    },
  ],
  example: 'taskflow task logs 01K8Q2M4ZJ7F0C7Y --level warn',
  run: (call) =>
    withSession(call, async (session) => {
      const [id = ''] = await readIds(call, session);
      const level = call.text('level');
      const document = await session.ask(taskLogs, { id, ...(level === undefined ? {} : { level }) });
      call.output.list(logView, document.logs);
      if (document.logs.length === 0) call.output.note('It has logged nothing.');
      return 0;
    }),
};

export const commands = [list, get, taskRun, cancel, retry, remove, update, move, runNow, logs, reveal];

const levelStyles: Readonly<Record<LogDocument['level'], Style>> = {
  debug: 'muted',
  info: null,
  warn: 'warning',
  error: 'error',
};

const logView: View<LogDocument> = {
  id: (line) => line.at,
  columns: [
    { title: 'At', text: (line) => clockTime(Date.parse(line.at)), raw: (line) => line.at, style: () => 'muted' },
    { title: 'Level', text: (line) => line.level, style: (line) => levelStyles[line.level] },
    { title: 'Message', cutTo: 20, text: (line) => line.message },
    {
      title: 'Fields',
      cutTo: 10,
      text: (line) => (line.fields === null ? '' : JSON.stringify(line.fields)),
      style: () => 'muted',
    },
  ],
};

interface OutcomeDocument {
  readonly id: string;
  readonly outcome: string;
}

const outcomeView: View<OutcomeDocument> = {
  id: (document) => document.id,
  columns: [
    { title: 'Id', text: (document) => document.id },
    { title: 'Outcome', text: (document) => document.outcome },
  ],
};

function outcomeLine(
  { output: { terminal } }: Call,
  view: 'cancelled' | 'running' | 'queued',
  id: string,
  words: string,
): string {
  return terminal.isPerson ? `${paint(terminal, glyphOf(terminal, view), view)} ${id}   ${words}` : `${id}\t${words}`;
}

interface EachTask<Document extends object> {
  readonly input?: object;
  readonly view: View<Document>;
  lines(document: Document, session: Session): Promise<readonly string[]> | readonly string[];
}

function eachTask<Input, Document extends object>(
  call: Call,
  operation: Operation<Input, Document>,
  how: EachTask<NoInfer<Document>>,
): Promise<number> {
  return withSession(call, async (session) => {
    const ids = await readIds(call, session);
    return askEach(call, {
      items: ids,
      isOne: call.args.length === 1 && call.args[0] !== '-',
      ask: (id) => session.ask(operation, { id, ...how.input }),
      view: how.view,
      lines: (document) => how.lines(document, session),
    });
  });
}
