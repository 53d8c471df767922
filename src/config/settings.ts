/** Every setting once: key, words, flag, variable, shape and default. Flags, `.env.example` and the reference page come from here. */

import type { z } from 'zod';
import { limits } from '../core/limits.ts';
import type { ZodLibrary } from './shapes.ts';
import * as shape from './shapes.ts';

interface Setting {
  /** What it decides, as a sentence fragment that fits a help text. */
  readonly description: string;
  /** Command line flag as commander reads it. */
  readonly flag?: string;
  /** Other flags that mean the same. */
  readonly flagAliases?: readonly string[];
  /** Other variables that mean the same, beside `TASKFLOW_…`. */
  readonly variableAliases?: readonly string[];
  /** As one would write it in a file; `null` is none. */
  readonly default: unknown;
  /** What `null` means, for help and reference. */
  readonly none?: string;
  /** A value to show in examples. */
  readonly example: string;
  /** Paths are relative to the file (or the folder) the value came from. */
  readonly paths?: 'list' | 'url';
  /** In milliseconds once read, shown as `30s`. */
  readonly duration?: true;
  /** May carry a password; masked wherever it is shown. */
  readonly secret?: boolean;
  readonly shape: (z: ZodLibrary) => z.ZodType;
}

export const settings = {
  tasks: {
    description: 'Folders and files with tasks',
    flag: '--tasks <folders>',
    default: ['src/tasks', 'tasks'],
    example: 'src/tasks,src/mail',
    paths: 'list',
    shape: (z) => shape.list(z),
  },
  broker: {
    description: 'Where tasks live',
    flag: '--broker <url>',
    default: 'sqlite:./.taskflow/taskflow.db',
    example: 'sqlite:./data/taskflow.db',
    paths: 'url',
    secret: true,
    shape: (z) => shape.text(z, 2_000),
  },
  store: {
    description: 'Where finished tasks are recorded',
    flag: '--store <url>',
    default: null,
    none: 'the broker itself, where it is a database',
    example: 'postgres://user:password@localhost:5432/app',
    paths: 'url',
    secret: true,
    shape: (z) => shape.text(z, 2_000),
  },
  namespace: {
    description: 'Separates several systems in one store',
    flag: '--namespace <name>',
    default: 'taskflow',
    example: 'billing',
    shape: (z) => shape.text(z, 100).regex(/^[\w.-]+$/, 'must consist of letters, digits, ".", "_" and "-"'),
  },
  env: {
    description: 'Name of this environment, shown on every page',
    flag: '--env <name>',
    default: null,
    none: 'no badge',
    example: 'production',
    shape: (z) => shape.text(z, 40),
  },
  'server.port': {
    description: 'Port of the API and the dashboard (0 takes a free one)',
    flag: '--port <port>',
    variableAliases: ['TASKFLOW_PORT'],
    default: 8000,
    example: '8080',
    shape: (z) => shape.whole(z, 0, 65_535),
  },
  'server.host': {
    description: 'Address to listen on',
    flag: '--host <address>',
    default: '127.0.0.1',
    example: '0.0.0.0',
    shape: (z) => shape.text(z, 255),
  },
  'server.hosts': {
    description: 'Names the server may be reached by, beside those of this machine ("any" for all)',
    flag: '--hosts <names>',
    default: null,
    none: 'localhost and its addresses',
    example: 'tasks.example.com',
    shape: (z) => shape.list(z),
  },
  'server.auth': {
    description: 'Who is let in: those with a key, or everybody of this machine ("none")',
    flag: '--auth <how>',
    default: 'token',
    example: 'none',
    shape: (z) => shape.word(z, ['token', 'none']),
  },
  'server.basePath': {
    description: 'Path below which a proxy shows the server, whether it takes it off or not',
    flag: '--base-path <path>',
    default: '/',
    example: '/ops/tasks',
    shape: (z) => shape.basePath(z),
  },
  'server.trustProxy': {
    description:
      'Proxies whose word on callers is taken: addresses, ranges, "loopback", "private", or how many stand in a row',
    flag: '--trust-proxy <proxies>',
    variableAliases: ['TASKFLOW_TRUST_PROXY'],
    default: null,
    none: 'nobody’s: callers are whoever connects',
    example: '10.0.0.0/8,loopback',
    shape: (z) => shape.proxies(z),
  },
  'server.streamMax': {
    description: 'Longest stream of tasks in one request, as long as it brings something',
    flag: '--stream-max <duration>',
    default: '1h',
    example: '6h',
    duration: true,
    shape: (z) => shape.duration(z, limits.requestMs),
  },
  'server.rate.key': {
    description: 'Requests a second of one key, and five times as many at once; searches cost more than one',
    default: limits.requestsPerKey,
    example: '500',
    shape: (z) => shape.whole(z, 1, limits.requestsMax),
  },
  'server.rate.address': {
    description: 'Requests a second without a key from one address, and five times as many at once',
    default: limits.requestsPerAddress,
    example: '50',
    shape: (z) => shape.whole(z, 1, limits.requestsMax),
  },
  'server.connections.all': {
    description: 'Connections at the same time',
    default: limits.connections,
    example: '20000',
    shape: (z) => shape.whole(z, 1, limits.connectionsMax),
  },
  'server.connections.address': {
    description: 'Connections at the same time from one address that is no proxy',
    default: limits.connectionsPerAddress,
    example: '100',
    shape: (z) => shape.whole(z, 1, limits.connectionsMax),
  },
  'worker.queues': {
    description: 'Queues to work on, with or without slots for each',
    flag: '--queues <list>',
    flagAliases: ['--queue <list>'],
    default: null,
    none: 'default, and the queues of the tasks found',
    example: 'email=20,default=5',
    shape: (z) => shape.queues(z),
  },
  'worker.concurrency': {
    description: 'Tasks run at the same time, by the queues without slots of their own',
    flag: '--concurrency <n>',
    default: 10,
    example: '20',
    shape: (z) => shape.whole(z, 1, limits.concurrencyMax),
  },
  'worker.drain': {
    description: 'How long a stopping worker waits for running tasks',
    flag: '--drain <duration>',
    default: '30s',
    example: '2m',
    duration: true,
    shape: (z) => shape.duration(z),
  },
  'worker.lease': {
    description:
      'How long a silent worker keeps its tasks, and how long the living have to renew theirs after an outage',
    flag: '--lease <duration>',
    default: '30s',
    example: '2m',
    duration: true,
    shape: (z) => shape.duration(z, limits.leaseMinMs, limits.leaseMaxMs),
  },
  'worker.memory': {
    description: 'Memory of a process of an isolated task that does not say, in MB',
    default: 512,
    example: '1024',
    shape: (z) => shape.whole(z, limits.isolateMemoryMinMb, limits.isolateMemoryMaxMb),
  },
  'worker.name': {
    description: 'Name of the worker in lists',
    flag: '--name <name>',
    default: null,
    none: 'host and process id',
    example: 'mail-1',
    shape: (z) => shape.text(z),
  },
  'defaults.retry': {
    description: 'Runs in all, or a retry policy, for tasks that do not say',
    default: null,
    none: '5 runs, 1s apart, doubling, at most 1h',
    example: '3',
    shape: (z) => shape.retry(z),
  },
  'defaults.timeout': {
    description: 'Longest run of tasks that do not say ("none" is no limit)',
    default: '1h',
    example: '5m',
    duration: true,
    shape: (z) => shape.durationOrNone(z, 1),
  },
  'defaults.keep.succeeded': {
    description: 'How long succeeded tasks are kept',
    default: '3d',
    example: '12h',
    duration: true,
    shape: (z) => shape.duration(z),
  },
  'defaults.keep.failed': {
    description: 'How long failed and cancelled tasks are kept',
    default: '30d',
    example: '90d',
    duration: true,
    shape: (z) => shape.duration(z),
  },
  'audit.keep': {
    description: 'How long it is kept who did what',
    default: '90d',
    example: '365d',
    duration: true,
    shape: (z) => shape.duration(z, limits.auditKeepMinMs),
  },
  redact: {
    description: 'Paths of values in inputs, results, steps and log fields that nobody is shown',
    flag: '--redact <paths>',
    default: null,
    none: 'nothing but what tasks hide themselves',
    example: 'input.card.number,**.password',
    shape: (z) => shape.redactPaths(z),
  },
  'log.level': {
    description: 'Least important line to log',
    flag: '--log-level <level>',
    default: 'info',
    example: 'debug',
    shape: (z) => shape.word(z, ['debug', 'info', 'warn', 'error']),
  },
  'log.format': {
    description: 'How servers and workers write to stderr: lines of JSON, or words ("auto": words on a terminal)',
    flag: '--log-format <format>',
    default: 'auto',
    example: 'json',
    shape: (z) => shape.word(z, ['auto', 'json', 'text']),
  },
  color: {
    description: 'When to colour the output',
    flag: '--color <when>',
    default: 'auto',
    example: 'never',
    shape: (z) => shape.word(z, ['auto', 'always', 'never']),
  },
} as const satisfies Record<string, Setting>;

/** `broker`, `server.port`, … */
export type SettingKey = keyof typeof settings;

/** What a setting is once read: durations are milliseconds, `null` is "not set, see `none`". */
export type SettingValue<Key extends SettingKey> =
  | z.output<ReturnType<(typeof settings)[Key]['shape']>>
  | ((typeof settings)[Key]['default'] extends null ? null : never);

/** All settings, read. */
export type Settings = { readonly [Key in SettingKey]: SettingValue<Key> };

export const settingKeys = Object.keys(settings) as readonly SettingKey[];

/** The table's row of a key, in its general shape. */
export function settingOf(key: SettingKey): Setting {
  return settings[key];
}

export function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(settings, text);
}

/** `server.port` → `TASKFLOW_SERVER_PORT`. */
export function variableOf(key: SettingKey): string {
  return `TASKFLOW_${key.replaceAll('.', '_').toUpperCase()}`;
}

/** Every variable that sets the key, the documented one first. */
export function variablesOf(key: SettingKey): readonly string[] {
  return [variableOf(key), ...(settingOf(key).variableAliases ?? [])];
}

/** `--port <port>` → `--port`. */
export function flagName(flag: string): string {
  return flag.split(' ', 1)[0] ?? flag;
}
