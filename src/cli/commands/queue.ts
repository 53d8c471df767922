/** `taskflow queue list|get|pause|resume|limit|purge` */

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
import { askBulk, bulkOptions } from '../bulk-words.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
import { pausedColumn } from '../pause-words.ts';
import { readRuleOptions, ruleOptions } from '../rule-options.ts';
import { type Session, withSession } from '../session.ts';
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

export const commands = [list, get, pause, resume, limit, purge];

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
