/** `taskflow worker start|list` */

import { systemClock } from '../../core/time.ts';
import { type WorkerDocument, workerList } from '../../operations/worker.ts';
import type { CommandSpec } from '../command.ts';
import type { View } from '../output.ts';
import { withSession } from '../session.ts';
import { relativeTime } from '../times.ts';

const start: CommandSpec = {
  name: 'start',
  summary: 'Start a worker that runs tasks until it is stopped',
  settings: ['tasks', 'worker.queues', 'worker.concurrency', 'worker.drain', 'worker.name', 'env'],
  example: 'taskflow worker start --queues email=20,default=5',
  run: async (call) => (await import('../process.ts')).runProcess(call, { server: false, worker: true }),
};

const workerView: View<WorkerDocument> = {
  id: (worker) => worker.id,
  columns: [
    { title: 'Worker', text: (worker) => worker.name, style: () => 'bold', cutTo: 16 },
    {
      title: 'State',
      text: (worker) => worker.state,
      style: ({ state }) => (state === 'ready' ? 'ok' : state === 'silent' ? 'error' : 'warning'),
    },
    { title: 'Kind', text: (worker) => (worker.server ? 'server' : 'worker'), style: () => 'muted' },
    {
      title: 'Running',
      align: 'right',
      text: (worker) => (worker.concurrency === 0 ? '' : `${worker.running}/${worker.concurrency}`),
    },
    {
      title: 'Queues',
      cutTo: 12,
      text: (worker) => Object.keys(worker.queues).join(','),
      raw: (worker) =>
        Object.entries(worker.queues)
          .map(([name, slots]) => `${name}=${slots}`)
          .join(','),
    },
    { title: 'Tasks', align: 'right', text: (worker) => String(worker.tasks.length) },
    { title: 'Pid', align: 'right', text: (worker) => String(worker.pid), isSpare: true },
    { title: 'Version', text: (worker) => worker.version, isSpare: true },
    {
      title: 'Started',
      align: 'right',
      isSpare: true,
      text: (worker) => relativeTime(Date.parse(worker.startedAt), systemClock.now()),
      raw: (worker) => worker.startedAt,
      style: () => 'muted',
    },
    {
      title: 'Heard of',
      align: 'right',
      text: (worker) => relativeTime(Date.parse(worker.beatAt), systemClock.now()),
      raw: (worker) => worker.beatAt,
      style: () => 'muted',
    },
  ],
};

const list: CommandSpec = {
  name: 'list',
  summary: 'List the workers and servers with their slots',
  example: 'taskflow worker list',
  run: (call) =>
    withSession(call, async (session) => {
      const { workers } = await session.ask(workerList, {});
      call.output.list(workerView, workers);
      if (workers.length === 0) call.output.note('No worker has been heard of lately: taskflow worker start');
      return 0;
    }),
};

export const commands = [start, list];
