/** `taskflow worker start|list|get|drain|resume|scale|stack|restart` */

import process from 'node:process';
import { taskFlowError } from '../../core/errors.ts';
import type { Operation } from '../../operations/operation.ts';
import { workerList } from '../../operations/worker.ts';
import {
  type WorkerRecordDocument,
  workerDrain,
  workerGet,
  workerRestart,
  workerResume,
  workerScale,
  workerStack,
} from '../../operations/worker-control.ts';
import type { Call, CommandSpec } from '../command.ts';
import { askEach } from '../each.ts';
import { withSession } from '../session.ts';
import { slotsText, workerLines, workerView } from '../worker-view.ts';

const start: CommandSpec = {
  name: 'start',
  summary: 'Start a worker that runs tasks until it is stopped',
  settings: [
    'tasks',
    'worker.queues',
    'worker.concurrency',
    'worker.drain',
    'worker.lease',
    'log.level',
    'log.format',
    'worker.name',
    'env',
  ],
  options: [
    {
      flags: '--server <url>',
      description: 'Reach the store through this server, over HTTP; its key is in TASKFLOW_TOKEN',
    },
    { flags: '--token-file <path>', description: 'Read the key of the server from this file' },
  ],
  example: 'taskflow worker start --queues email=20,default=5',
  run: async (call) => {
    const { runProcess } = await import('../process.ts');
    const server = call.text('server');
    return runProcess(server === undefined ? call : await throughServer(call, server), {
      server: false,
      worker: 'here',
    });
  },
};

/** The same call with the server in the place of the store. */
async function throughServer(call: Call, url: string): Promise<Call> {
  const [{ readServerUrl }, { tokenEnvironment }] = await Promise.all([
    import('../../broker/http/calls.ts'),
    import('../server-session.ts'),
  ]);
  const server = readServerUrl(url);
  // By the environment: threads and processes of the worker find it there too, and no list of processes shows it.
  const { TASKFLOW_TOKEN: token, TASKFLOW_TOKEN_FILE: file } = tokenEnvironment(call);
  if (token !== undefined) process.env.TASKFLOW_TOKEN = token;
  if (file !== undefined) process.env.TASKFLOW_TOKEN_FILE = file;
  return {
    ...call,
    async config() {
      const config = await call.config();
      return { ...config, settings: { ...config.settings, broker: server, store: null } };
    },
  };
}

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

const workerArguments = [{ syntax: '<worker...>', description: 'Names, ids, or beginnings of ids' }];

const get: CommandSpec = {
  name: 'get',
  summary: 'Show workers: slots, process, event loop, and what they have not heard yet',
  arguments: workerArguments,
  example: 'taskflow worker get ada-mbp-4121',
  run: (call) => eachWorker(call, workerGet, {}, (worker) => workerLines(call.output.terminal, worker)),
};

const drain = telling(workerDrain, {
  summary: 'Let workers claim nothing more until they resume or restart; what runs goes on',
  example: 'taskflow worker drain ada-mbp-4121',
  done: (worker) => `is draining: ${slotsText(worker)}, nothing new begins`,
});

const resume = telling(workerResume, {
  summary: 'Let drained workers claim again',
  example: 'taskflow worker resume ada-mbp-4121',
  done: () => 'claims again',
});

const restart = telling(workerRestart, {
  summary: 'Drain workers, end their processes and start them anew',
  example: 'taskflow worker restart ada-mbp-4121',
  done: ({ state }) => (state === 'stopped' ? 'has ended and starts anew' : 'starts anew once what runs has ended'),
});

const scale: CommandSpec = {
  name: 'scale',
  summary: 'Change the number of slots of workers until they restart',
  arguments: workerArguments,
  options: [{ flags: '--concurrency <n>', description: 'Tasks run at the same time, shared like those it began with' }],
  example: 'taskflow worker scale ada-mbp-4121 --concurrency 40',
  run: (call) => {
    const text = call.text('concurrency');
    if (text === undefined)
      throw taskFlowError('USAGE', { problem: 'How many slots?' }, { hint: 'Say it with --concurrency 40.' });
    const concurrency = Number(text);
    return eachWorker(call, workerScale, { concurrency }, (worker) => [
      answerLine(call, worker, `has ${worker.concurrency} ${worker.concurrency === 1 ? 'slot' : 'slots'} now`),
    ]);
  },
};

const stack: CommandSpec = {
  name: 'stack',
  summary: 'Show what each slot of workers does now, and where a blocked event loop stands',
  arguments: workerArguments,
  example: 'taskflow worker stack ada-mbp-4121',
  run: (call) =>
    eachWorker(call, workerStack, {}, (worker) =>
      worker.stack === null ? [answerLine(call, worker, '')] : workerLines(call.output.terminal, worker),
    ),
};

export const commands = [start, list, get, drain, resume, scale, stack, restart];

interface Telling {
  readonly summary: string;
  readonly example: string;
  /** What has become of the worker once it has heard. */
  done(worker: WorkerRecordDocument): string;
}

function telling(
  operation: Operation<{ id: string }, WorkerRecordDocument>,
  { summary, example, done }: Telling,
): CommandSpec {
  return {
    name: operation.name.slice('worker.'.length),
    summary,
    arguments: workerArguments,
    example,
    run: (call) => eachWorker(call, operation, {}, (worker) => [answerLine(call, worker, done(worker))]),
  };
}

function answerLine({ output: { terminal } }: Call, worker: WorkerRecordDocument, done: string): string {
  const isHeard = worker.commands.length === 0;
  if (!terminal.isPerson) return [worker.id, worker.name, worker.state, isHeard ? 'heard' : 'waits'].join('\t');
  return isHeard
    ? `${worker.name} ${done}`
    : `${worker.name} has not heard it yet (${worker.state}): it will with its next heartbeat`;
}

function eachWorker<Input>(
  call: Call,
  operation: Operation<Input, WorkerRecordDocument>,
  more: object,
  lines: (worker: WorkerRecordDocument) => readonly string[],
): Promise<number> {
  return withSession(call, (session) =>
    askEach(call, {
      items: call.args,
      isOne: call.args.length === 1,
      ask: (id) => session.ask(operation, { id, ...more }),
      view: workerView,
      lines,
    }),
  );
}
