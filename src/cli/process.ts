/** A process that stays: server, worker or both, from its banner to its last settled task. */

import type { RunningServer } from '../api/serve.ts';
import type { Config } from '../config/load.ts';
import { taskFlowError } from '../core/errors.ts';
import { systemClock } from '../core/time.ts';
import type { Engine } from '../engine/engine.ts';
import type { Store } from '../history/history.ts';
import { beginAnew, restartExitCode } from './anew.ts';
import type { Call } from './command.ts';
import { packageVersion } from './commands/version.ts';
import { composeEngine, composeServer, composeWorker, loadTasks, type ProjectTasks, shareStore } from './compose.ts';
import type { KeyActions, Keys } from './keys.ts';
import { readServerRecord, removeServerRecord, serverRecordPath, writeServerRecord } from './pidfile.ts';
import { showError } from './problem.ts';
import { type LoggedCall, withLog } from './process-log.ts';
import {
  farewell,
  type Ready,
  showReady,
  showRuns,
  tellAway,
  tellFailedRequest,
  tellGap,
  tellTrouble,
} from './process-words.ts';
import { createSession, openConfiguredStore, type StoreSession } from './session.ts';
import { untilStopped } from './signals.ts';
import { linkUrl, signInLink, welcome } from './welcome.ts';

/** What the process is made of; at least one of the two. `apart`: the worker is a process of its own, begun anew for new code. */
export interface Parts {
  readonly server: boolean;
  readonly worker: 'none' | 'here' | 'apart';
}

/** A worker of this process, or in its care. */
interface WorkerPart {
  readonly ready: Pick<Ready, 'worker' | 'tasks'>;
  /** Everything is shown. */
  onReady?(): void;
  /** Puts it down within about `drainMs` (`null`: as configured). */
  stop(drainMs: number | null): Promise<void>;
  /** Takes what to call when this whole process is to begin anew. */
  onRestart(begin: () => void): void;
}

/** Everything that is stopped at the end, in the order in which it was begun. */
interface Running {
  readonly store: Store;
  server: RunningServer | null;
  engine: Engine | null;
  worker: WorkerPart | null;
}

/** Runs until a signal, then puts everything down in order. Resolves to the exit code. */
export async function runProcess(given: Call, parts: Parts): Promise<number> {
  const { call, ...heard } = await withLog(given);
  const config = await call.config();
  const recordPath = serverRecordPath(config);
  const other = parts.server ? readServerRecord(recordPath) : null;
  // `up` may stand beside a server (on another port); two of `server start` are a mistake.
  if (other !== null && parts.worker === 'none')
    throw taskFlowError('SERVER_RUNNING', { pid: other.pid, url: other.url });
  const store = await openConfiguredStore(call, config);
  if (parts.server) requireRecord(store);
  tellAway(call, store);
  const running: Running = { store, server: null, engine: null, worker: null };
  try {
    const tasks = parts.worker === 'here' ? await loadAllTasks(call) : null;
    const session = await createSession(config, store, tasks?.definitions);
    if (parts.server) await startServer({ call, ...heard }, running, session);
    const entrance =
      parts.server && config.settings['server.auth'] === 'token'
        ? await welcome(call, store, session.context.actor.name)
        : null;
    const url = running.server?.url ?? null;
    if (url !== null && other === null) writeServerRecord(recordPath, url);
    shareStore(store, url);
    if (tasks !== null) running.worker = await startHere(call, running, config, tasks);
    if (parts.worker === 'apart') {
      const apart = await startApart(call, store, { url: url ?? '', asksForKeys: entrance !== null });
      if (typeof apart === 'number') {
        await stopAll(call, running, 0);
        removeServerRecord(recordPath);
        return apart;
      }
      running.worker = apart;
    }
    const ready = running.worker?.ready ?? { worker: null, tasks: null };
    await showReady(call, store, { version: packageVersion(), url, welcome: entrance, ...ready });
    running.worker?.onReady?.();
    const exitCode = await untilStopped(call, {
      clock: systemClock,
      farewell: farewell(running.worker),
      async stop(drainMs) {
        await stopAll(call, running, drainMs);
        removeServerRecord(recordPath);
        if (call.output.format === 'table') call.output.note('Stopped.');
      },
      onRestart: (begin) => running.worker?.onRestart(begin),
    });
    return exitCode === restartExitCode ? beginAnew() : exitCode;
  } catch (error) {
    await stopAll(call, running, 0);
    removeServerRecord(recordPath);
    throw error;
  }
}

/** What is not recorded is lost to people, and fills the memory of the live store. */
function requireRecord({ broker, recording, isServer }: Store): void {
  if (isServer === true) throw taskFlowError('NOT_SUPPORTED', { what: 'A server in front of a server' });
  if (broker.outbox !== undefined && recording === undefined)
    throw taskFlowError('RECORD_MISSING', { what: 'A server' });
}

async function startServer({ call, ...heard }: LoggedCall, running: Running, session: StoreSession): Promise<void> {
  const version = packageVersion();
  running.server = await composeServer({
    session,
    version,
    insecure: call.has('insecure'),
    commands: () => call.examples(),
    report: (error, request) => tellFailedRequest(call, error, request),
    warn: (text) => call.output.warn(text),
    trouble: (report) => tellTrouble(call, report),
    ...heard,
  });
  running.engine = composeEngine(session.config, running.store, version, {
    report: (report) => tellTrouble(call, report),
    onGap: (gap) => tellGap(call, gap),
  });
  running.engine.start();
}

async function startHere(call: Call, running: Running, config: Config, tasks: ProjectTasks): Promise<WorkerPart> {
  const { store, engine } = running;
  // Behind a server there is one that runs them.
  const services = engine === null && store.isServer !== true ? 'auto' : 'never';
  const composed = composeWorker({ config, store, tasks, version: packageVersion(), services });
  await storeSchedules(call, store, tasks);
  const lines = showRuns(call, store, composed);
  const { worker } = composed;
  worker.start();
  return {
    ready: { worker: composed, tasks: tasks.definitions.map(({ name }) => name) },
    async stop(drainMs) {
      await worker.stop(drainMs === null ? {} : { drainMs });
      lines.close();
    },
    onRestart: (begin) => void worker.on('command', ({ command }) => command.kind === 'restart' && begin()),
  };
}

interface Entrance {
  readonly url: string;
  readonly asksForKeys: boolean;
}

/** Where a browser on this machine is let in: by a link where keys are asked for. */
async function entranceUrl({ access }: Store, { url, asksForKeys }: Entrance): Promise<string> {
  const link = asksForKeys && access !== undefined ? await signInLink(access, null) : null;
  return link === null ? url : linkUrl(url, link);
}

async function startApart(call: Call, store: Store, entrance: Entrance): Promise<WorkerPart | number> {
  const [{ startCrew }, { listenToKeys, openInBrowser }] = await Promise.all([
    import('./crew.ts'),
    import('./keys.ts'),
  ]);
  const crew = await startCrew(call, entrance.url);
  if (typeof crew === 'number') return crew;
  const { loaded } = crew;
  let keys: Keys | null = null;
  const actions: KeyActions = {
    quit: () => void process.kill(process.pid, 'SIGTERM'),
    open() {
      entranceUrl(store, entrance)
        .then(openInBrowser)
        .catch((error: unknown) => showError(call.stderr, call.output.notes, call.output.format, error, false));
    },
    reload: () => crew.reload(),
    pause() {
      pauseOrResume(store, crew.loaded?.workerId ?? '').catch((error: unknown) => {
        showError(call.stderr, call.output.notes, call.output.format, error, false);
      });
    },
  };
  return {
    ready: {
      worker: loaded === null ? null : { ...loaded, name: loaded.worker },
      tasks: loaded === null ? null : Object.keys(loaded.files),
    },
    async stop(drainMs) {
      keys?.giveBack();
      keys = null;
      await crew.stop(drainMs);
    },
    onReady() {
      keys = listenToKeys(call.output, actions);
      crew.onEnd(() => keys?.regain());
    },
    // Its worker begins anew by itself.
    onRestart: () => undefined,
  };
}

async function pauseOrResume({ broker }: Store, workerId: string): Promise<void> {
  const record = (await broker.getWorkers()).find((worker) => worker.workerId === workerId);
  await broker.control([workerId], { kind: record?.state === 'draining' ? 'resume' : 'drain' });
}

/** What cannot be loaded is told, and keeps nothing else from being loaded. */
export async function loadAllTasks(call: Call): Promise<ProjectTasks> {
  const tasks = await loadTasks(await call.config());
  for (const failure of tasks.failures) showError(call.stderr, call.output.notes, call.output.format, failure, false);
  return tasks;
}

/** Before the worker starts: what it fires is known to the store from then on. What is wrong is told, and keeps nothing else. */
export async function storeSchedules(call: Call, store: Store, { schedules }: ProjectTasks): Promise<void> {
  if (schedules.length === 0) return;
  if (store.isServer === true) {
    call.output.warn(
      `The schedules of these files (${schedules.length}) are not stored through a server: start a worker with them at the store itself.`,
    );
    return;
  }
  const { putSchedules } = await import('../client/put-schedules.ts');
  const { failures } = await putSchedules(store.broker, schedules);
  for (const failure of failures) showError(call.stderr, call.output.notes, call.output.format, failure, false);
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
  await Promise.all([attempt(() => server?.close()), attempt(() => worker?.stop(drainMs))]);
  await attempt(() => engine?.stop());
  await attempt(() => store.access?.audit.settled());
  await attempt(() => store.close());
}
