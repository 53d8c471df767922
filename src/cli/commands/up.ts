/** `taskflow up` */

import type { CommandSpec } from '../command.ts';

const up: CommandSpec = {
  name: 'up',
  summary: 'Start server and worker in one process',
  options: [{ flags: '--insecure', description: 'Listen beyond this machine without authentication' }],
  settings: [
    'tasks',
    'server.port',
    'server.host',
    'server.hosts',
    'worker.queues',
    'worker.concurrency',
    'worker.drain',
    'worker.lease',
    'worker.name',
    'env',
  ],
  example: 'taskflow up --tasks examples/tasks --port 8001',
  run: async (call) => (await import('../process.ts')).runProcess(call, { server: true, worker: true }),
};

export const commands = [up];
