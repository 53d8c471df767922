/** A process that stays: server, worker or both, from its banner to its last settled task. */

import type { RunningServer } from '../api/serve.ts';
import type { WorkerCommand } from '../core/commands.ts';
import { formatDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { parsePolicy } from '../core/policy.ts';
import { systemClock } from '../core/time.ts';
import type { Engine } from '../engine/engine.ts';
import type { ServiceReport } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import { beginAnew, restartExitCode } from './anew.ts';
import { bannerLines } from './banner.ts';
import type { Call } from './command.ts';
import { packageVersion } from './commands/version.ts';
import {
  type ComposedWorker,
  composeEngine,
  composeServer,
  composeWorker,
  loadTasks,
  type ProjectTasks,
  shareStore,
} from './compose.ts';
import { readServerRecord, removeServerRecord, serverRecordPath, writeServerRecord } from './pidfile.ts';
import { asTaskFlowError, showError } from './problem.ts';
import { createRunLines, runEnds } from './run-lines.ts';
import { createSession, openConfiguredStore } from './session.ts';
import { untilStopped } from './signals.ts';

/** What the process is made of; at least one of the two. */
export interface Parts {
  readonly server: boolean;
  readonly worker: boolean;
}

/** Runs until a signal, then puts everything down in order. Resolves to the exit code. */
export async function runProcess(call: Call, parts: Parts): Promise<number> {
  const config = await call.config();
  const recordPath = serverRecordPath(config);
  const other = parts.server ? readServerRecord(recordPath) : null;
  // `up` may stand beside a server (on another port); two of `server start` are a mistake.
  if (other !== null && !parts.worker) throw taskFlowError('SERVER_RUNNING', { pid: other.pid, url: other.url });
  const store = await openConfiguredStore(call, config);
  const version = packageVersion();
  let server: RunningServer | null = null;
  let engine: Engine | null = null;
  let worker: ComposedWorker | null = null;
  try {
    const tasks = parts.worker ? await loadAllTasks(call) : null;
    const session = await createSession(config, store, tasks?.definitions);
    if (parts.server) {
      server = await composeServer({
        session,
        version,
        insecure: call.has('insecure'),
        report: (error) => void showError(call.stderr, call.output.notes, call.output.format, error, true),
      });
      engine = composeEngine(config, store, version, (report) => tellTrouble(call, report));
      engine.start();
      if (other === null) writeServerRecord(recordPath, server.url);
    }
    shareStore(store, server?.url ?? null);
    if (tasks !== null)
      worker = composeWorker({ config, store, tasks, version, services: parts.server ? 'never' : 'auto' });
    if (tasks !== null) await storeSchedules(call, store, tasks);
    const lines = worker === null ? null : showRuns(call, store, worker);
    worker?.worker.start();
    await showReady(call, store, { version, url: server?.url ?? null, worker, tasks });
    const exitCode = await untilStopped(call, {
      clock: systemClock,
      farewell: farewell(worker),
      async stop(drainMs) {
        await stopAll(call, { server, engine, worker, store }, drainMs);
        lines?.close();
        removeServerRecord(recordPath);
        if (call.output.format === 'table') call.output.note('Stopped.');
      },
      onRestart(begin) {
        worker?.worker.on('command', ({ command }) => command.kind === 'restart' && begin());
      },
    });
    return exitCode === restartExitCode ? beginAnew() : exitCode;
  } catch (error) {
    await stopAll(call, { server, engine, worker, store }, 0);
    removeServerRecord(recordPath);
    throw error;
  }
}

async function loadAllTasks(call: Call): Promise<ProjectTasks> {
  const tasks = await loadTasks(await call.config());
  for (const failure of tasks.failures) showError(call.stderr, call.output.notes, call.output.format, failure, false);
  return tasks;
}

/** Before the worker starts: what it fires is known to the store from then on. What is wrong is told, and keeps nothing else. */
async function storeSchedules(call: Call, store: Store, { schedules }: ProjectTasks): Promise<void> {
  if (schedules.length === 0) return;
  const { putSchedules } = await import('../client/put-schedules.ts');
  const { failures } = await putSchedules(store.broker, schedules);
  for (const failure of failures) showError(call.stderr, call.output.notes, call.output.format, failure, false);
}

interface Running {
  readonly server: RunningServer | null;
  readonly engine: Engine | null;
  readonly worker: ComposedWorker | null;
  readonly store: Store;
}

/** Server and worker first, side by side; then the engine, then the store. What fails to stop is told and does not stop the rest. */
async function stopAll(call: Call, { server, engine, worker, store }: Running, drainMs: number | null): Promise<void> {
  const attempt = async (stop: () => Promise<void> | undefined): Promise<void> => {
    try {
      await stop();
    } catch (error) {
      showError(call.stderr, call.output.notes, call.output.format, error, call.verbose);
    }
  };
  await Promise.all([
    attempt(() => server?.close()),
    attempt(() => worker?.worker.stop(drainMs === null ? {} : { drainMs })),
  ]);
  await attempt(() => engine?.stop());
  await attempt(() => store.close());
}

interface Ready {
  readonly version: string;
  readonly url: string | null;
  readonly worker: ComposedWorker | null;
  readonly tasks: ProjectTasks | null;
}

async function showReady(call: Call, store: Store, { version, url, worker, tasks }: Ready): Promise<void> {
  const [config, info] = await Promise.all([call.config(), store.broker.info()]);
  const names = tasks?.definitions.map((task) => task.name).sort() ?? null;
  // The clock of a process begins with it: this is the time since the command was typed, less the shell's part.
  const readyMs = Math.round(systemClock.elapsed());
  const { name, queues, isShared } = worker ?? { name: null, queues: {}, isShared: false };
  const document = {
    event: 'ready',
    version,
    readyMs,
    pid: process.pid,
    url,
    broker: config.settings.broker.startsWith('sqlite:') ? config.settings.broker : info.kind,
    worker: name,
    queues,
    tasks: names ?? [],
  };
  call.output.event(document, () =>
    bannerLines(call.output.terminal, {
      version,
      readyMs,
      config,
      cwd: call.cwd,
      info,
      url,
      worker: name === null ? null : { name, queues, isShared },
      tasks: names,
    }),
  );
  if (names?.length === 0)
    call.output.note(
      "A task is any export of task('name', { run }) in a file of these folders; name others with --tasks.",
    );
  if (call.output.notes.isPerson)
    call.output.note('  Ctrl-C stops: running tasks end first, a second Ctrl-C leaves at once');
}

function farewell(worker: ComposedWorker | null): string {
  return worker === null
    ? 'Stopping. Again to leave at once.'
    : 'Stopping: no new tasks, waiting for those that run. Again to leave at once.';
}

/** Prints the runs of a worker as they end, and its troubles. */
function showRuns(call: Call, store: Store, { worker }: ComposedWorker): ReturnType<typeof createRunLines> {
  const lines = createRunLines(call.output, systemClock);
  for (const end of runEnds) {
    worker.on(end, (event) => {
      if (end !== 'retrying' || !lines.hasRoom) return lines.add(end, event, null);
      void Promise.all([store.broker.getTasks([event.id]), store.broker.info()])
        .then(([[task], info]) =>
          lines.add(
            end,
            event,
            task == null
              ? null
              : { attempts: parsePolicy(task.policy).attempts, inMs: Math.max(0, task.dueAt - info.now) },
          ),
        )
        .catch(() => lines.add(end, event, null));
    });
  }
  worker.on('stuck', (event) =>
    call.output.warn(
      `${event.name} ${event.id} goes on though it was told to stop; its place is given to another task.`,
    ),
  );
  worker.on('dropped', (event) =>
    call.output.warn(`${event.name} ${event.id} ended too late: its lease was lost, another run counts.`),
  );
  worker.on('command', ({ command, running }) => call.output.note(commandWords(command, running)));
  worker.on('blocked', ({ blockedMs, handlers, at }) => {
    if (blockedMs < limits.loopWarnMs) return;
    const who = handlers.length === 0 ? '' : ` by ${handlers.join(' or ')}`;
    call.output.warn(
      `The event loop turns again: it was blocked for ${formatDuration(blockedMs)}${who}${at === null ? '' : `, at ${at}`}. Its leases were kept.`,
    );
  });
  worker.on('trouble', ({ service, error, failures }) =>
    tellTrouble(call, { kind: 'failed', service, error, failures }),
  );
  worker.on('recovered', ({ service, failures }) => tellTrouble(call, { kind: 'recovered', service, failures }));
  return lines;
}

/** What the worker does because somebody told it to. */
function commandWords(command: WorkerCommand, running: number): string {
  const rest = running === 0 ? 'nothing runs' : `waiting for ${running} that ${running === 1 ? 'runs' : 'run'}`;
  switch (command.kind) {
    case 'drain':
      return `Told to drain: no new tasks, ${rest}. It goes on with: taskflow worker resume`;
    case 'resume':
      return 'Told to resume: tasks begin again.';
    case 'scale':
      return `Told to scale: ${command.concurrency} ${command.concurrency === 1 ? 'slot' : 'slots'} now.`;
    case 'stack':
      return 'Told to show what its slots do.';
    case 'restart':
      return `Told to restart: no new tasks, ${rest}, then it begins anew.`;
  }
}

/** Told once when it begins and once when it is over: a store that is away for an hour must not fill the screen. */
function tellTrouble(call: Call, report: ServiceReport): void {
  if (report.kind === 'recovered')
    call.output.note(
      `${report.service}: well again after ${report.failures} failed ${report.failures === 1 ? 'try' : 'tries'}`,
    );
  else if (report.failures === 1)
    call.output.warn(`${report.service}: ${asTaskFlowError(report.error).message} It is tried again.`);
}
