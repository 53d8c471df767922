/** `taskflow queue list|get|peek|pause|resume|limit|purge` */

import type { Rate } from '../../core/limit-rules.ts';
import { rateText } from '../../core/rate-text.ts';
import { queuePurge } from '../../operations/bulk.ts';
import {
  type QueueDocument,
  queueGet,
  queueLimit,
  queueList,
  queuePause,
  queueResume,
} from '../../operations/queue.ts';
import { type PeekedTaskDocument, queuePeek } from '../../operations/queue-peek.ts';
import { askBulk, bulkOptions } from '../bulk-words.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { pausedColumn } from '../pause-words.ts';
import { readRuleOptions, ruleOptions } from '../rule-options.ts';
import { type Session, withSession } from '../session.ts';
import { shortIdLength } from '../task-view.ts';
import { glyphOf } from '../terminal.ts';
import { durationWords } from '../times.ts';

const queueView: View<QueueDocument> = {
  id: (queue) => queue.name,
  columns: [
    { title: 'Queue', text: (queue) => queue.name, style: () => 'bold', cutTo: 16 },
    { title: 'State', text: (queue) => queue.state, style: (queue) => (queue.state === 'paused' ? 'warning' : null) },
    { title: 'Waiting', align: 'right', text: (queue) => count(queue.waiting), raw: (queue) => String(queue.waiting) },
    { title: 'Running', align: 'right', text: (queue) => `${queue.running}/${queue.slots}` },
    {
      title: 'Oldest waits',
      align: 'right',
      isSpare: true,
      text: (queue) => (queue.oldestWaitMs === null ? '' : durationWords(queue.oldestWaitMs)),
      raw: (queue) => String(queue.oldestWaitMs ?? ''),
    },
    { title: 'Workers', align: 'right', text: (queue) => String(queue.workers) },
    {
      title: 'Limit',
      isSpare: true,
      text: ({ max, rate }) => limitText(max, rate),
    },
    pausedColumn(),
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the queues with what waits in them and who listens',
  example: 'taskflow queue list',
  run: (call) =>
    withSession(call, async (session) => {
      const { queues } = await session.ask(queueList, {});
      call.output.list(queueView, queues);
      if (queues.length === 0) call.output.note('Queues appear when a worker listens on one or a task is put in one.');
      for (const queue of queues) {
        if (queue.waiting > 0 && queue.workers === 0)
          call.output.note(
            `${queue.name} has work and no worker: taskflow worker start --queues ${queue.name}`,
            'warning',
          );
      }
      return 0;
    }),
};

const pause: CommandSpec = {
  name: 'pause',
  summary: 'Stop starting tasks of queues; what runs goes on',
  arguments: [{ syntax: '<queue...>', description: 'Names of queues' }],
  options: [{ flags: '--reason <text>', description: 'Why; shown wherever the queue is' }],
  example: 'taskflow queue pause email --reason "provider is down"',
  run(call) {
    const reason = call.text('reason');
    return eachQueue(call, (session, name) =>
      session.ask(queuePause, { name, ...(reason === undefined ? {} : { reason }) }),
    );
  },
};

const resume: CommandSpec = {
  name: 'resume',
  summary: 'Start tasks of paused queues again',
  arguments: [{ syntax: '<queue...>', description: 'Names of queues' }],
  example: 'taskflow queue resume email',
  run: (call) => eachQueue(call, (session, name) => session.ask(queueResume, { name })),
};

const limit: CommandSpec = {
  name: 'limit',
  summary: 'Say how many tasks of queues run at once or start in a time, in all workers together',
  arguments: [{ syntax: '<queue...>', description: 'Names of queues' }],
  options: ruleOptions,
  example: 'taskflow queue limit email --max 20 --rate 100/1m',
  run(call) {
    const rules = readRuleOptions(call);
    return eachQueue(call, (session, name) => session.ask(queueLimit, { name, ...rules }));
  },
};

const get: CommandSpec = {
  name: 'get',
  summary: 'Show how queues stand',
  arguments: [{ syntax: '<queue...>', description: 'Names of queues' }],
  example: 'taskflow queue get email',
  run: (call) => eachQueue(call, (session, name) => session.ask(queueGet, { name })),
};

const stands: Readonly<Record<PeekedTaskDocument['stands'], string>> = {
  next: 'a worker takes it next',
  held: 'held back',
  scheduled: 'before its time',
};

const peekView: View<PeekedTaskDocument> = {
  id: (task) => task.id,
  columns: [
    { title: '#', align: 'right', text: (task) => String(task.position) },
    {
      title: 'Stands',
      text: (task, terminal) => `${glyphOf(terminal, task.view)} ${task.stands}`,
      raw: (task) => task.stands,
      style: (task) => task.view,
    },
    { title: 'Task', text: (task) => task.name, style: () => 'bold', cutTo: 12 },
    { title: 'Id', text: (task) => task.id.slice(0, shortIdLength), raw: (task) => task.id },
    { title: 'Group', text: (task) => task.group ?? '', isSpare: true, cutTo: 12 },
    { title: 'Priority', align: 'right', text: (task) => String(task.priority), isSpare: true },
    {
      title: 'Why it waits',
      text: (task) => task.why?.sentence ?? stands[task.stands],
      style: (task) => (task.stands === 'next' && task.why === null ? 'succeeded' : 'muted'),
      cutTo: 20,
    },
  ],
};

const peek: CommandSpec = {
  name: 'peek',
  summary: 'Show what is next in a queue, in the order of claims, and what each task waits for',
  arguments: [{ syntax: '<queue>', description: 'Name of the queue' }],
  options: [{ flags: '--limit <n>', description: 'At most so many tasks, up to 100 (default: 20)' }],
  example: 'taskflow queue peek email --limit 5',
  run: (call) =>
    withSession(call, async (session) => {
      const [name = '', limit] = [call.args[0], call.text('limit')];
      const { tasks } = await session.ask(queuePeek, { name, ...(limit === undefined ? {} : { limit }) });
      call.output.list(peekView, tasks);
      if (tasks.length === 0) call.output.note(`Nothing waits in ${name}.`);
      return 0;
    }),
};

const purge: CommandSpec = {
  name: 'purge',
  summary: 'Cancel all tasks that wait in a queue',
  arguments: [{ syntax: '<queue>', description: 'Name of the queue' }],
  options: bulkOptions,
  example: 'taskflow queue purge email --dry-run',
  run: (call) =>
    withSession(call, (session) =>
      askBulk(call, session, queuePurge, { input: { name: call.args[0] ?? '' }, words: 'Purge' }),
    ),
};

export const commands = [list, get, peek, pause, resume, limit, purge];

/** "20, 100/1m"; empty for a queue without. */
function limitText(max: number | null, rate: Rate | null): string {
  return [max === null ? [] : [String(max)], rate === null ? [] : [rateText(rate)]].flat().join(', ');
}

function eachQueue(call: Call, ask: (session: Session, name: string) => Promise<QueueDocument>): Promise<number> {
  const { terminal } = call.output;
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (name) => ask(session, name),
      view: queueView,
      lines: ({ name, state, waiting, running, max, rate }) => [
        terminal.isPerson
          ? `${name} is ${state}: ${count(waiting)} waiting, ${count(running)} running${max === null && rate === null ? '' : `, at most ${limitText(max, rate)}`}`
          : `${name}\t${state}`,
      ],
    }),
  );
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
