/** What `taskflowjs` offers, name by name, and how its parts find a store: this is where the program is put together. */

import process from 'node:process';
import { setDefaultParts } from './client/default-client.ts';
import { setTaskDefaults } from './client/task-defaults.ts';
import { makeTypedClient, type TypedClient } from './client/typed-client.ts';
import type { Config } from './config/load.ts';
import { checkOptionNames } from './core/option-names.ts';
import { systemClock } from './core/time.ts';
import type { Store } from './history/history.ts';
import { type Dashboard, type DashboardOptions, mountDashboard } from './mount/dashboard.ts';
import type { Definitions } from './operations/definitions.ts';
import type { HostedWorker, HostedWorkerOptions } from './worker/hosted.ts';

export {
  type ApiCallOptions,
  type ApiClient,
  type ApiClientOptions,
  type ApiHandle,
  createApiClient,
} from './api/api-client.ts';
export { pagesOf } from './api/pages-of.ts';
export { type Contract, contract, type Schedule, type TaskRef, task } from './client/define.ts';
export type { EnqueueItem } from './client/enqueue-many.ts';
export { type Flow, type FlowFailure, type FlowOptions, flow } from './client/flow.ts';
export type { CancelAnswer, Handle, ResultOptions } from './client/handle.ts';
export type { EnqueueOptions, ItemOptions, ManyOptions } from './client/options.ts';
export type { CatchUpOption, ScheduleOptions, ScheduleTimes } from './client/schedule-options.ts';
export type { KeepOptions, RetryOptions, TaskOptions } from './client/task-options.ts';
export type { TypedClient } from './client/typed-client.ts';
export { type ConfigFile, defineConfig } from './config/define.ts';
export type { ScheduleFiring } from './core/code-schedule.ts';
export type {
  Context,
  Log,
  Middleware,
  MiddlewareRun,
  Parent,
  Spawned,
  SpawnOptions,
} from './core/definition.ts';
export type { DependsOn } from './core/dependency-option.ts';
export type { Duration } from './core/duration.ts';
export type { ErrorCode } from './core/error-table.ts';
export { type ErrorDocument, TaskFlowError } from './core/errors.ts';
export type { LiveChange, LiveMessage } from './core/live.ts';
export type { Priority } from './core/priority.ts';
export type { Overlap } from './core/schedule.ts';
export type { TaskState } from './core/states.ts';
export type { IfExists } from './core/task.ts';
export type { PostgresTransaction, SqliteTransaction, Transaction } from './core/transaction.ts';
export { fatal, snooze } from './core/verdicts.ts';
export type { Dashboard, DashboardOptions, Visitor } from './mount/dashboard.ts';
export type { UpgradeHandler } from './mount/upgrade.ts';
export type { Role } from './operations/operation.ts';
export { type FollowLiveOptions, followLive } from './remote/follow-live.ts';
export type { RunEvent, TroubleEvent, WorkerEvents } from './worker/events.ts';
export type { HostedWorker as Worker, HostedWorkerOptions as WorkerOptions } from './worker/hosted.ts';

/** Which store to use. */
export interface Connection {
  /** URL of the broker, such as `sqlite:./.taskflow/taskflow.db`; the configured one when not given. */
  readonly broker?: string;
}

/**
 * Makes a client that knows tasks by name, from nothing but the type of the module that defines them. It connects on
 * first use. Throws INVALID_OPTION or NOT_SUPPORTED.
 *
 * @example
 * const client = createClient<typeof import('./tasks/email.ts')>();
 * const { id } = await client.enqueue('email.welcome', { userId: 'ada' });
 */
export function createClient<Module = unknown>(connection: Connection = {}): TypedClient<Module> {
  checkOptionNames(connection, ['broker'], ['url', 'token', 'store', 'namespace'], 'The options of createClient');
  let published: Definitions | null = null;
  return makeTypedClient<Module>({
    open: () => openConfigured(connection.broker ?? null),
    async define(name, broker) {
      const { createDefinitions, unknownDefinition } = await import('./operations/definitions.ts');
      published ??= createDefinitions(broker, systemClock);
      return (await published.find(name)) ?? unknownDefinition(name);
    },
  });
}

/**
 * Makes a worker for a program of one's own; `taskflow worker start` needs none. It begins with `run()`.
 *
 * @example
 * const worker = await createWorker({ tasks: [email], queues: { email: 20, default: 10 }, drain: '30s' });
 * worker.on('failed', ({ name, id, error }) => console.error(`${name} ${id} gave up: ${error?.message}`));
 * await worker.run();
 */
export async function createWorker(options: HostedWorkerOptions): Promise<HostedWorker> {
  const { hostWorker } = await import('./worker/hosted.ts');
  const { settings } = await projectConfig();
  return hostWorker(options, openConfigured, settings.redact ?? []);
}

/**
 * The dashboard, the REST API and the probes as one function from a request to a response, for a program of your own. Your program says
 * who may look; without an `authorize` there is none.
 *
 * @example
 * const tf = dashboard({
 *   basePath: '/admin/tasks',
 *   authorize: async (request) => (request.headers.get('x-team') === 'ops' ? { name: 'ops', role: 'admin' } : null),
 * });
 * const { GET, POST } = tf.next();
 */
export function dashboard(options: DashboardOptions): Dashboard {
  return mountDashboard(options, async (checked) => {
    const [{ openDashboard }, { packageVersion }, { settings }] = await Promise.all([
      import('./mount/open.ts'),
      import('./cli/commands/version.ts'),
      projectConfig(),
    ]);
    const store = await openConfigured(checked.broker ?? null, checked.store);
    const redact = checked.redact ?? settings.redact ?? [];
    return openDashboard(
      { ...checked, redact },
      { store, version: packageVersion(), environment: checked.env ?? settings.env },
    );
  });
}

let configuration: Promise<Config> | null = null;

/** The configuration of this process, read when it is first needed; tasks have its defaults from then on. */
function projectConfig(): Promise<Config> {
  configuration ??= readConfiguration().catch((error: unknown) => {
    // A mistake in it is mended more easily than a process restarted: the next call reads it again.
    configuration = null;
    throw error;
  });
  return configuration;
}

async function readConfiguration(): Promise<Config> {
  const [{ loadConfig }, { taskDefaultsOf }] = await Promise.all([
    import('./config/load.ts'),
    import('./config/task-defaults.ts'),
  ]);
  const config = await loadConfig({ cwd: process.cwd(), env: process.env });
  setTaskDefaults(taskDefaultsOf(config.settings));
  return config;
}

/** The store of a URL, or the configured one, and where its dashboard is. Nothing of this loads before a store is needed. */
async function openConfigured(broker: string | null, record?: string): Promise<Store & { readonly url?: string }> {
  const [{ connect }, { settings, folder }] = await Promise.all([import('./broker/connect.ts'), projectConfig()]);
  if (broker !== null) return opened(connect(broker, record === undefined ? {} : { store: record }));
  const store = await opened(
    connect(settings.broker, { folder, store: record ?? settings.store, namespace: settings.namespace }),
  );
  const { broker: configured, history } = store;
  const url = dashboardUrl(settings['server.host'], settings['server.port']);
  return { broker: configured, history, close: () => store.close(), url };
}

async function opened(store: Store): Promise<Store> {
  await store.broker.open();
  return store;
}

/** A server that listens everywhere is reached on this machine. */
function dashboardUrl(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://127.0.0.1:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

setDefaultParts({ open: () => openConfigured(null), ready: projectConfig });
