/** What a process that stays says: that it is ready, how runs end, what it was told, and its troubles. */

import type { FailedRequest } from '../api/problem.ts';
import type { WorkerCommand } from '../core/commands.ts';
import { formatDuration } from '../core/duration.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { parsePolicy } from '../core/policy.ts';
import { isoTime, systemClock } from '../core/time.ts';
import type { ServiceReport } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import type { Gap } from '../history/recording.ts';
import { bannerLines } from './banner.ts';
import type { Call } from './command.ts';
import type { ComposedWorker } from './compose.ts';
import { asTaskFlowError, showError } from './problem.ts';
import { createRunLines, runEnds } from './run-lines.ts';
import { linkUrl, type Welcome } from './welcome.ts';

/** What a process that is ready has to show. */
export interface Ready {
  readonly version: string;
  readonly url: string | null;
  /** How to sign in, shown this once; `null` where nobody needs to. */
  readonly welcome: Welcome | null;
  readonly worker: Pick<ComposedWorker, 'name' | 'queues' | 'isShared'> | null;
  /** Names of the tasks found; `null` where nobody looked for any. */
  readonly tasks: readonly string[] | null;
}

export async function showReady(
  call: Call,
  store: Store,
  { version, url, welcome, worker, tasks }: Ready,
): Promise<void> {
  const [config, info] = await Promise.all([call.config(), store.broker.info()]);
  const names = tasks?.toSorted() ?? null;
  // The clock of a process begins with it: this is the time since the command was typed, less the shell's part.
  const readyMs = Math.round(systemClock.elapsed());
  const { name, queues, isShared } = worker ?? { name: null, queues: {}, isShared: false };
  const entrance = {
    ...(url !== null && welcome?.link != null && { login: linkUrl(url, welcome.link) }),
    ...(welcome?.token != null && { token: welcome.token }),
  };
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
    ...entrance,
  };
  call.output.event(document, () =>
    bannerLines(call.output.terminal, {
      version,
      readyMs,
      config,
      cwd: call.cwd,
      info,
      url,
      ...entrance,
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

/** What the first signal says. */
export function farewell(worker: object | null): string {
  return worker === null
    ? 'Stopping. Again to leave at once.'
    : 'Stopping: no new tasks, waiting for those that run. Again to leave at once.';
}

/** Prints the runs of a worker as they end, and its troubles. */
export function showRuns(call: Call, store: Store, { worker }: ComposedWorker): ReturnType<typeof createRunLines> {
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
  worker.on('stalled', ({ forMs, waiting }) => {
    const what =
      waiting === null
        ? `A call to the store had no end for ${formatDuration(forMs)}`
        : `Nothing was claimed for ${formatDuration(forMs)} though ${waiting === 1 ? '1 task' : `${waiting} tasks`} waited`;
    call.output.warn(`${what}: connected anew.`);
  });
  worker.on('stray', (event) =>
    call.output.warn(`${event.name} ${event.id} left something behind: ${event.error?.message ?? 'nobody knows what'}`),
  );
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

/** Tasks are taken and run without the record; what happens to them waits in the live store. */
export function tellAway(call: Call, { away }: Pick<Store, 'away'>): void {
  const problem = away?.() ?? null;
  if (problem === null) return;
  const hint = problem.hint === undefined ? '' : ` ${problem.hint}`;
  call.output.warn(`The record is away, and tasks run without it until it is back. ${problem.message}.${hint}`);
}

/** A request met a bug: told in full, with the id its answer names. */
export function tellFailedRequest(call: Call, thrown: unknown, { requestId, method, path }: FailedRequest): void {
  const { message } = asTaskFlowError(thrown);
  const error = taskFlowError(
    'INTERNAL',
    { problem: `${method} ${path}: ${message}` },
    { cause: thrown, hint: `It was request ${requestId}.`, details: { requestId } },
  );
  showError(call.stderr, call.output.notes, call.output.format, error, true);
}

/** The live store was wiped, or went back to what it was before: said loudly, since tasks may be missing. */
export function tellGap(call: Call, { from, to, restored }: Gap): void {
  const since = from === null ? '' : ` since ${isoTime(from)}`;
  const tasks = restored === 1 ? '1 task was' : `${restored} tasks were`;
  call.output.warn(
    `The live store lost what it had${since}, noticed at ${isoTime(to)}. ${tasks} brought back from the record; those accepted after the last record are gone.`,
  );
}

/** Told once when it begins and once when it is over: a store that is away for an hour must not fill the screen. */
export function tellTrouble(call: Call, report: ServiceReport): void {
  if (report.kind === 'recovered')
    call.output.note(
      `${report.service}: well again after ${report.failures} failed ${report.failures === 1 ? 'try' : 'tries'}`,
    );
  else if (report.failures === 1)
    call.output.warn(`${report.service}: ${asTaskFlowError(report.error).message} It is tried again.`);
}
