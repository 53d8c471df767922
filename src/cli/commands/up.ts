/** `taskflow up` */

import type { Call, CommandSpec } from '../command.ts';
import { workerVariable } from '../worker-process.ts';

const up: CommandSpec = {
  name: 'up',
  summary: 'Start server, dashboard and a worker that follows changes of the task files',
  isLocal: true,
  options: [
    {
      flags: '--no-reload',
      description: 'Keep the code that was loaded, in one process (as with NODE_ENV=production)',
    },
    { flags: '--insecure', description: 'Listen beyond this machine also with --auth none' },
  ],
  settings: [
    'tasks',
    'server.port',
    'server.host',
    'server.hosts',
    'server.auth',
    'server.basePath',
    'server.trustProxy',
    'server.streamMax',
    'worker.queues',
    'worker.concurrency',
    'worker.drain',
    'worker.lease',
    'log.level',
    'log.format',
    'worker.name',
    'env',
  ],
  example: 'taskflow up --tasks examples/tasks --port 8001',
  async run(call) {
    if (isUpWorker()) return (await import('../up-worker.ts')).runUpWorker(call);
    const worker = (await isReloading(call)) ? 'apart' : 'here';
    return (await import('../process.ts')).runProcess(call, { server: true, worker });
  },
};

function isUpWorker(): boolean {
  return process.env[workerVariable] !== undefined && process.send !== undefined;
}

/** In production code changes by a deploy, which restarts what it deployed; half of it must not be loaded before. */
async function isReloading(call: Call): Promise<boolean> {
  if (call.has('no-reload') || call.env.NODE_ENV === 'production') return false;
  const { env } = (await call.config()).settings;
  return env === null || !/prod/i.test(env);
}

export const commands = [up];
