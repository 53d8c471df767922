/** The composition root: puts store, tasks, worker, engine and server of a process together from its configuration. */

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { OnAnswered } from '../api/answered.ts';
import type { FetchHandler } from '../api/app.ts';
import type { Gate } from '../api/gate.ts';
import type { LiveEndpoint } from '../api/live/endpoint.ts';
import type { DoorFigures } from '../api/metrics.ts';
import type { ReportError } from '../api/problem.ts';
import type { RunningServer } from '../api/serve.ts';
import { makeClient } from '../client/client.ts';
import { replaceDefaultClient } from '../client/default-client.ts';
import type { Config } from '../config/load.ts';
import { readBasePath } from '../core/base-path.ts';
import { createToken, systemChance } from '../core/chance.ts';
import type { CodeSchedule } from '../core/code-schedule.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { type TaskFlowError, taskFlowError } from '../core/errors.ts';
import { readProxies } from '../core/proxies.ts';
import { systemClock } from '../core/time.ts';
import { createEngine, type Engine, type EngineOptions } from '../engine/engine.ts';
import type { Report } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import type { QueueSlots } from '../worker/pools.ts';
import { createWorker, type Worker } from '../worker/worker.ts';
import { fileOfUrl, type StoreSession } from './session.ts';

/** The tasks of a project, with the files they came from and what could not be loaded. */
export interface ProjectTasks {
  readonly definitions: readonly TaskDefinition[];
  /** File by task name, relative to the project. */
  readonly files: Readonly<Record<string, string>>;
  readonly schedules: readonly CodeSchedule[];
  /** Its absolute path. */
  readonly modules: Readonly<Record<string, string>>;
  readonly failures: readonly TaskFlowError[];
}

/** Loads the task files of the configuration. A file that fails does not keep the others from loading. */
export async function loadTasks(config: Config): Promise<ProjectTasks> {
  const { discoverTasks } = await import('../worker/discovery.ts');
  // Folders that were asked for must exist; those of the default need not.
  const isAsked = config.origins.tasks.kind !== 'default';
  const { tasks, schedules, failures } = await discoverTasks({
    root: config.folder,
    ...(isAsked ? { folders: config.settings.tasks } : {}),
  });
  return {
    definitions: tasks.map((task) => task.definition),
    files: Object.fromEntries(tasks.map((task) => [task.definition.name, task.file])),
    schedules: schedules.map(({ schedule }) => schedule),
    modules: Object.fromEntries(tasks.map((task) => [task.definition.name, resolve(config.folder, task.file)])),
    failures,
  };
}

/** What tasks of this process enqueue goes into the store that is open already; `url` is where a person can look at it. */
export function shareStore(store: Store, url: string | null): void {
  const shared = { broker: store.broker, close: async () => undefined };
  replaceDefaultClient(makeClient({ open: async () => shared, ...(url === null ? {} : { url }) }));
}

/** The queues of the configuration: all of one pool when none has slots of its own. */
export function slotsOf(config: Config, tasks: readonly TaskDefinition[]): QueueSlots {
  const { 'worker.queues': wanted, 'worker.concurrency': shared } = config.settings;
  if (wanted === null) return [...new Set(['default', ...tasks.map((task) => task.queue)])];
  const entries = Object.entries(wanted);
  if (entries.every(([, slots]) => slots === null)) return entries.map(([name]) => name);
  return Object.fromEntries(entries.map(([name, slots]) => [name, slots ?? shared]));
}

export interface ComposedWorker {
  readonly worker: Worker;
  readonly name: string;
  /** Slots by queue; of a shared pool each queue has all of them. */
  readonly queues: Readonly<Record<string, number>>;
  readonly isShared: boolean;
}

export interface WorkerParts {
  readonly config: Config;
  readonly store: Store;
  readonly tasks: ProjectTasks;
  readonly version: string;
  /** `never` beside an engine of the same process. */
  readonly services: 'auto' | 'never';
  /** Replaces the queues of the configuration. */
  readonly queues?: QueueSlots;
}

/** A worker as configured; not started. */
export function composeWorker({ config, store, tasks, version, services, queues }: WorkerParts): ComposedWorker {
  const { settings } = config;
  const slots = queues ?? slotsOf(config, tasks.definitions);
  const concurrency = settings['worker.concurrency'];
  const name = settings['worker.name'] ?? `${hostname()}-${process.pid}`;
  const worker = createWorker({
    store,
    definitions: tasks.definitions,
    files: tasks.files,
    modules: tasks.modules,
    memoryMb: settings['worker.memory'],
    childEnv: childEnvironment(config),
    redact: settings.redact ?? [],
    queues: slots,
    concurrency,
    name,
    version,
    drainMs: settings['worker.drain'],
    leaseMs: settings['worker.lease'],
    recoveryMs: settings['worker.lease'],
    services,
  });
  return {
    worker,
    name,
    isShared: isList(slots),
    queues: isList(slots) ? Object.fromEntries(slots.map((queue) => [queue, concurrency])) : slots,
  };
}

/** What tasks in processes of their own enqueue goes to the same store, whatever flags this process was given. */
function childEnvironment(config: Config): Readonly<Record<string, string>> {
  const { settings, folder } = config;
  const absolute = (url: string): string => {
    const file = fileOfUrl(url);
    return file === null ? url : `sqlite:${resolve(folder, file)}`;
  };
  const record = settings.store === null ? {} : { TASKFLOW_STORE: absolute(settings.store) };
  return { TASKFLOW_BROKER: absolute(settings.broker), TASKFLOW_NAMESPACE: settings.namespace, ...record };
}

/** The engine's services under the presence of a server; not started. */
export function composeEngine(
  config: Config,
  store: Store,
  version: string,
  tell: Required<Pick<EngineOptions, 'report' | 'onGap'>>,
): Engine {
  const name = `${config.settings['worker.name'] ?? hostname()}-server`;
  const recoveryMs = config.settings['worker.lease'];
  const presence = { workerId: createToken(systemChance), name, version };
  return createEngine({ store, ...tell, recoveryMs, auditKeepMs: config.settings['audit.keep'], presence });
}

export interface ServerParts {
  readonly session: StoreSession;
  readonly version: string;
  readonly insecure: boolean;
  /** The lines of the command line that the reference of the API shows. */
  readonly commands: () => Promise<Readonly<Record<string, string>>>;
  /** Hears of errors that are no one's fault but ours. */
  readonly report: ReportError;
  /** Hears of live updates that fail, and that they are well again. */
  readonly trouble: Report;
  readonly warn: (text: string) => void;
  /** Hears of each request when it is answered. */
  readonly onAnswered?: OnAnswered;
}

/** API and pages, listening. Throws PORT_IN_USE, INSECURE_BIND and INVALID_OPTION. */
export async function composeServer(parts: ServerParts): Promise<RunningServer> {
  const { session, version, insecure, commands, report, warn, trouble, ...heard } = parts;
  const [{ createApp }, { createMetrics }, { serve }, { createPages }, { createUpgrade }] = await Promise.all([
    import('../api/app.ts'),
    import('../api/metrics.ts'),
    import('../api/serve.ts'),
    import('../dashboard/pages.tsx'),
    import('../api/live/upgrade.ts'),
  ]);
  const { settings } = session.config;
  const named = settings['server.hosts'] ?? [];
  const hosts = named.includes('any') ? 'any' : named;
  const basePath = readBasePath(settings['server.basePath']);
  const entrance = await composeEntrance(session);
  const { gate } = entrance;
  const live = await composeLive(session, trouble);
  const streamMs = settings['server.streamMax'];
  const fetch: FetchHandler = createApp({
    context: session.context,
    version,
    live,
    streamMs,
    ...entrance,
    ...heard,
    pages: createPages({ version, environment: settings.env, commands }),
    basePath,
    metrics: createMetrics({ version, clock: systemClock, door: () => doorFigures(gate, server, live) }),
    hosts,
    report,
    warn,
  });
  const { 'server.host': host, 'server.port': port, 'server.trustProxy': trusted } = settings;
  const proxies = trusted === null ? null : readProxies(trusted);
  const isOpen = insecure || settings['server.auth'] === 'token';
  const onUpgrade = createUpgrade({ live, context: session.context, hosts, basePath, proxies, report, ...entrance });
  const server = await serve({
    fetch,
    onUpgrade,
    host,
    port,
    proxies,
    insecure: isOpen,
    clock: systemClock,
    streamMs,
    connections: settings['server.connections.all'],
    connectionsPerAddress: settings['server.connections.address'],
  });
  return {
    ...server,
    async close(patienceMs) {
      // Those who follow, and claims that wait, would be waited for until the patience ends.
      session.context.remote.hints.end();
      await live.close();
      await server.close(patienceMs);
    },
  };
}

/** Who is let in, and how often they may ask. */
async function composeEntrance({ config: { settings }, store: { access } }: StoreSession) {
  const [{ createAuthenticate }, { createGate }] = await Promise.all([
    import('../api/authenticate.ts'),
    import('../api/gate.ts'),
  ]);
  const gate = createGate({
    clock: systemClock,
    perKey: settings['server.rate.key'],
    perAddress: settings['server.rate.address'],
  });
  if (settings['server.auth'] !== 'token') return { gate };
  if (access === undefined) throw taskFlowError('RECORD_MISSING', { what: 'A server that asks for keys' });
  return { gate, access, authenticate: createAuthenticate(access, gate) };
}

function doorFigures(gate: Gate, { sockets }: RunningServer, live: LiveEndpoint): DoorFigures {
  return {
    refused: gate.refused,
    callers: gate.size,
    connections: sockets.open,
    connectionsRefused: sockets.refused,
    connectionsStuck: sockets.stuck,
    live: live.connected,
  };
}

async function composeLive({ context }: StoreSession, report: Report): Promise<LiveEndpoint> {
  const [{ createLiveHub }, { createLiveEndpoint }] = await Promise.all([
    import('../live/hub.ts'),
    import('../api/live/endpoint.ts'),
  ]);
  return createLiveEndpoint({ hub: createLiveHub({ context, report }), clock: systemClock });
}

function isList(queues: QueueSlots): queues is readonly string[] {
  return Array.isArray(queues);
}
