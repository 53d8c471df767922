/** `taskflow run` and `taskflow task run`: enqueue a task, and wait for its result. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TaskDefinition } from '../../core/definition.ts';
import { formatDuration, parseDuration } from '../../core/duration.ts';
import { taskFlowError } from '../../core/errors.ts';
import { didYouMean } from '../../core/nearest.ts';
import { readStoredJson } from '../../core/stored-json.ts';
import { systemClock } from '../../core/time.ts';
import type { EnqueueDocument } from '../../operations/enqueue.ts';
import { taskEnqueue, taskExplain, taskGet } from '../../operations/task.ts';
import type { TaskRecordDocument } from '../../operations/task-document.ts';
import type { Call, CommandSpec, OptionSpec } from '../command.ts';
import { jsonText } from '../output.ts';
import { showError } from '../problem.ts';
import { createProgressLine } from '../progress.ts';
import { createSession, openConfiguredStore, type Session, type StoreSession } from '../session.ts';
import { oneLine } from '../table.ts';
import { cut, glyphOf, paint, widthOf } from '../terminal.ts';
import { type Look, type Watched, waitForEnd, watchedAtStore, watchedThroughServer } from '../wait.ts';

const enqueueOptions: readonly OptionSpec[] = [
  { flags: '--queue <name>', description: 'Put it in this queue' },
  { flags: '--priority <word>', description: 'urgent, high, normal, low, or 0 (first) to 9 (last)' },
  { flags: '--delay <duration>', description: 'Run it after this long' },
  { flags: '--at <time>', description: 'Run it at this time: 2026-11-24T09:00:00Z' },
  { flags: '--group <text>', description: 'Takes turns with the other groups of its queue' },
  { flags: '--key <text>', description: 'Unique among unfinished tasks' },
  { flags: '--if-exists <what>', description: 'When the key is held: return, replace, debounce or error' },
  { flags: '--retry <n>', description: 'Runs in all' },
  { flags: '--run-timeout <duration>', description: 'Longest run' },
  { flags: '--start-within <duration>', description: 'Cancel it when it has not begun by then' },
  { flags: '--expires-in <duration>', description: 'Cancel it when it has not finished by then' },
  { flags: '--tag <tags>', description: 'Words to find it by' },
  { flags: '--id <id>', description: 'Makes the call repeatable: the same id is one task' },
];

const taskArguments = [
  { syntax: '<name>', description: 'Name of the task' },
  { syntax: '[json]', description: 'Its input; @file.json reads a file, - reads standard input (default: {})' },
];

const waitOptions: readonly OptionSpec[] = [
  { flags: '--timeout <duration>', description: 'Wait at most this long (exit code 8); the task goes on' },
  { flags: '--local', description: 'Run it in this process: start a worker for its queue until it has finished' },
];

const run: CommandSpec = {
  name: 'run',
  summary: 'Enqueue a task and wait for its result (exit code 3 when it fails)',
  arguments: taskArguments,
  options: [...waitOptions, { flags: '--no-wait', description: 'Only enqueue it' }, ...enqueueOptions],
  settings: ['tasks'],
  example: `taskflow run demo.hello '{"name":"Ada"}'`,
  run: (call) => runTask(call, !call.has('no-wait')),
};

/** The same under its noun; it waits only when asked to. */
export const taskRun: CommandSpec = {
  name: 'run',
  summary: 'Enqueue a task',
  arguments: taskArguments,
  options: [
    { flags: '--wait', description: 'Wait for its result (exit code 3 when it fails)' },
    ...waitOptions,
    ...enqueueOptions,
  ],
  settings: ['tasks'],
  example: `taskflow task run email.welcome '{"userId":"u_1"}' --delay 10m`,
  run: (call) => runTask(call, call.has('wait') || call.has('local')),
};

export const commands = [run];

async function runTask(call: Call, wait: boolean): Promise<number> {
  const [name = ''] = call.args;
  const request = await readRequest(call);
  const timeout = call.text('timeout');
  const timeoutMs = timeout === undefined ? null : parseDuration(timeout, '--timeout');
  const server = call.text('server');
  if (server !== undefined) return runThroughServer(call, server, { request, wait, timeoutMs });
  const config = await call.config();
  const store = await openConfiguredStore(call, config);
  try {
    let session = await createSession(config, store);
    // The code validates better than a published schema, and is all there is when no worker runs.
    const local =
      call.has('local') || (await session.context.definitions.find(name)) === null
        ? await loadLocal(call, session)
        : null;
    if (local !== null) session = await createSession(config, store, local.definitions);
    if (call.has('local')) mustDefine(name, local?.definitions ?? []);
    const document = await enqueue(call, session, request);
    if (!wait) return showEnqueued(call, document);
    tellEarlier(call, document);
    const worker = call.has('local') && local !== null ? await local.startWorker(document.queue) : null;
    try {
      const watched = watchedAtStore(session.store.broker, document.id);
      return await followTask(call, session, { taskId: document.id, watched, timeoutMs, isLocal: worker !== null });
    } finally {
      await worker?.stop();
    }
  } finally {
    await store.close();
  }
}

/** It validates by what workers published; the tasks of this project are not looked at. */
async function runThroughServer(
  call: Call,
  server: string,
  { request, wait, timeoutMs }: { readonly request: object; readonly wait: boolean; readonly timeoutMs: number | null },
): Promise<number> {
  if (call.has('local'))
    throw taskFlowError(
      'USAGE',
      { problem: '--local and --server do not go together: this process would need the store.' },
      { hint: 'Leave out one of them, or start a worker: taskflow worker start --server <url>' },
    );
  const { withServer } = await import('../server-session.ts');
  return withServer(call, server, async (session) => {
    const document = await enqueue(call, session, request);
    if (!wait) return showEnqueued(call, document);
    tellEarlier(call, document);
    const watched = watchedThroughServer(session, document.id, systemClock);
    return followTask(call, session, { taskId: document.id, watched, timeoutMs, isLocal: true });
  });
}

async function enqueue(call: Call, session: Session, request: object): Promise<EnqueueDocument> {
  const document = await session.ask(taskEnqueue, request);
  if (document.note !== null) call.output.warn(`${document.note} (the task waits until one does)`);
  return document;
}

function tellEarlier(call: Call, { created, outcome, id }: EnqueueDocument): void {
  if (created) return;
  const what = outcome === 'duplicate' ? 'The key is held: waiting for the task that has it' : 'It was enqueued before';
  call.output.note(`${what}: ${id}`);
}

async function loadLocal(call: Call, session: StoreSession) {
  const { loadLocalTasks } = await import('../local.ts');
  return loadLocalTasks(call, session);
}

/** Without this check the task would wait in its queue for a worker that does not come. */
function mustDefine(name: string, definitions: readonly TaskDefinition[]): void {
  const names = definitions.map((definition) => definition.name);
  if (names.includes(name)) return;
  const near = didYouMean(name, names).trim();
  throw taskFlowError('TASK_NOT_DEFINED', { name }, near === '' ? {} : { hint: near });
}

async function readRequest(call: Call): Promise<object> {
  const [name = '', json] = call.args;
  const retry = call.text('retry');
  const tags = call.list('tag');
  const options = {
    queue: call.text('queue'),
    priority: call.text('priority'),
    delay: call.text('delay'),
    at: call.text('at'),
    group: call.text('group'),
    key: call.text('key'),
    ifExists: call.text('if-exists'),
    timeout: call.text('run-timeout'),
    startWithin: call.text('start-within'),
    expiresIn: call.text('expires-in'),
    id: call.text('id'),
    retry: retry === undefined ? undefined : Number(retry),
    tags: tags.length === 0 ? undefined : tags,
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { name, ...given, ...(json === undefined ? {} : { input: await readInput(call, json) }) };
}

async function readInput(call: Call, word: string): Promise<unknown> {
  const what = word === '-' ? 'The standard input' : word.startsWith('@') ? word.slice(1) : 'The input';
  const text =
    word === '-'
      ? await call.readStdin()
      : word.startsWith('@')
        ? readInputFile(resolve(call.cwd, word.slice(1)), word.slice(1))
        : word;
  try {
    return readStoredJson(text);
  } catch (error) {
    const hint = `JSON goes into single quotes: taskflow run ${call.args[0] ?? 'name'} '{"key":"value"}'`;
    throw taskFlowError(
      'INVALID_JSON',
      { what, problem: error instanceof Error ? error.message : String(error) },
      { cause: error, hint },
    );
  }
}

function readInputFile(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw taskFlowError(
      'USAGE',
      { problem: `The file ${name} cannot be read.` },
      { cause: error, hint: '@file.json reads the input from a file.' },
    );
  }
}

function showEnqueued(call: Call, document: EnqueueDocument): number {
  const { terminal } = call.output;
  const view = document.state ?? 'queued';
  const words =
    document.outcome === 'created'
      ? view
      : document.outcome === 'duplicate'
        ? `${view} already: its key is held`
        : document.outcome;
  call.output.record({ id: (row) => row.id }, document, () => [
    terminal.isPerson
      ? `${paint(terminal, `${glyphOf(terminal, view)} ${words}`, view)}   ${document.name}   ${document.id}`
      : [document.outcome, document.name, document.id, document.queue].join('\t'),
  ]);
  return 0;
}

interface Following {
  readonly taskId: string;
  readonly watched: Watched;
  readonly timeoutMs: number | null;
  /** Whether it runs in this process, or cannot. */
  readonly isLocal: boolean;
}

/** Shows how it goes, then the result. A task that nobody works on is explained while one waits. */
async function followTask(call: Call, session: Session, following: Following): Promise<number> {
  const { taskId, watched, timeoutMs, isLocal } = following;
  const controller = new AbortController();
  const onSignal = (): void => (controller.signal.aborted ? process.exit(1) : controller.abort());
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const line = createProgressLine(call, systemClock);
  const tellWhy = createWhy(call, session, isLocal, line);
  try {
    const { task, end } = await waitForEnd({
      watched,
      clock: systemClock,
      timeoutMs,
      signal: controller.signal,
      onLook(look) {
        line.show(look);
        tellWhy(look);
      },
    });
    line.clear();
    if (end === 'finished') return showEnd(call, await session.ask(taskGet, { id: taskId }));
    if (end === 'timedOut')
      throw taskFlowError('RESULT_TIMEOUT', {
        id: taskId,
        timeout: formatDuration(timeoutMs ?? 0),
        state: task?.state ?? 'in an unknown state',
      });
    call.output.warn(`Stopped waiting; the task goes on: taskflow task get ${taskId}`);
    return 130;
  } finally {
    line.clear();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

/** Long enough for a worker to pick the task up, short enough that nobody wonders. */
const patienceMs = 1_000;

function createWhy(call: Call, session: Session, isLocal: boolean, line: { clear(): void }): (task: Look) => void {
  const startedAt = systemClock.elapsed();
  let told = '';
  let asking = false;
  return (task) => {
    if (asking || task.state === 'running' || systemClock.elapsed() - startedAt < patienceMs) return;
    asking = true;
    void session
      .ask(taskExplain, { id: task.id })
      .then(({ gates: [gate] }) => {
        if (gate === undefined || gate.code === told || gate.code === 'behind') return;
        told = gate.code;
        line.clear();
        const commands = [
          gate.command,
          gate.code === 'no_worker' && !isLocal ? 'or run it here: --local' : null,
        ].filter((part) => part !== null);
        call.output.warn(`${gate.sentence}${commands.length === 0 ? '' : `   ${commands.join('   ')}`}`);
      })
      // Only a hint: the wait itself tells when the store is gone.
      .catch(() => undefined)
      .finally(() => {
        asking = false;
      });
  };
}

function showEnd(call: Call, task: TaskRecordDocument): number {
  const { terminal } = call.output;
  const { view } = task;
  const took = task.tookMs === null ? '' : ` in ${formatDuration(task.tookMs)}`;
  const result = task.state === 'succeeded' ? jsonText(task.result) : '';
  const head = `${glyphOf(terminal, view)} ${view}`;
  const room = Math.max(20, terminal.width - widthOf(head) - took.length - task.id.length - 6);
  call.output.record({ id: (row) => row.id }, task, () => [
    terminal.isPerson
      ? `${paint(terminal, head, view)}${took}   ${result === '' ? '' : `${cut(terminal, oneLine(result), room)}   `}${paint(terminal, task.id, 'muted')}`
      : [view, task.name, task.id, String(task.tookMs ?? ''), result].map(oneLine).join('\t'),
  ]);
  if (task.state === 'succeeded') return 0;
  const error =
    task.state === 'failed'
      ? taskFlowError(
          'TASK_FAILED',
          { name: task.name, id: task.id, message: task.error?.message ?? task.reason ?? 'no reason given' },
          { hint: `taskflow task get ${task.id}` },
        )
      : taskFlowError('TASK_CANCELLED', {
          name: task.name,
          id: task.id,
          reason: task.cancelReason ?? task.reason ?? 'no reason given',
        });
  return showError(call.stderr, call.output.notes, call.output.format, error, false);
}
