/** `taskflow queue list|pause|resume` */

import { type QueueDocument, queueList, queuePause, queueResume } from '../../operations/queue.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import type { View } from '../output.ts';
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
      title: 'Paused',
      cutTo: 10,
      text: (queue) =>
        queue.pause === null
          ? ''
          : `by ${queue.pause.by}${queue.pause.reason === null ? '' : `: ${queue.pause.reason}`}`,
    },
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

export const commands = [list, pause, resume];

function eachQueue(call: Call, ask: (session: Session, name: string) => Promise<QueueDocument>): Promise<number> {
  const { terminal } = call.output;
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (name) => ask(session, name),
      view: queueView,
      lines: ({ name, state, waiting, running }) => [
        terminal.isPerson
          ? `${name} is ${state}: ${count(waiting)} waiting, ${count(running)} running`
          : `${name}\t${state}`,
      ],
    }),
  );
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
