/** What a `taskflow.config.ts` may say. */

import type { Duration } from '../core/duration.ts';
import type { RetrySetting } from './shapes.ts';

/** The settings of a config file. All are optional; flags and variables of the same name win over them. */
export interface ConfigFile {
  /** Folders and files with tasks, relative to the config file. Default: `src/tasks` and `tasks`. */
  readonly tasks?: string | readonly string[] | undefined;
  /** Where tasks live. Default: `sqlite:./.taskflow/taskflow.db`. */
  readonly broker?: string | undefined;
  /** Where finished tasks are recorded, when that is not the broker. */
  readonly store?: string | undefined;
  /** Separates several systems in one store. Default: `taskflow`. */
  readonly namespace?: string | undefined;
  /** Name of this environment, shown on every page. */
  readonly env?: string | undefined;
  readonly server?: {
    /** Default: 8000. 0 takes a free port. */
    readonly port?: number | undefined;
    /** Default: `127.0.0.1`. */
    readonly host?: string | undefined;
    /** Names it may be reached by, beside those of this machine. */
    readonly hosts?: string | readonly string[] | undefined;
    /** `none` lets everybody of this machine in, and no other. Default: `token`, a key or a session. */
    readonly auth?: 'token' | 'none' | undefined;
    /** Path below which a proxy shows it, `/ops/tasks`. Default: `/`. */
    readonly basePath?: string | undefined;
    /** Proxies whose word on callers is taken: `['10.0.0.0/8', 'loopback']`, or how many stand in a row. Default: nobody's. */
    readonly trustProxy?: string | number | readonly string[] | undefined;
    /** Longest stream of tasks in one request, as long as it brings something. Default: 1h. */
    readonly streamMax?: Duration | undefined;
    /** Requests a second, and five times as many at once. */
    readonly rate?: {
      /** Of one key. Default: 10000. */
      readonly key?: number | undefined;
      /** Without a key, of one address. Default: 200. */
      readonly address?: number | undefined;
    };
    /** Connections at the same time. */
    readonly connections?: {
      /** Default: 5000. */
      readonly all?: number | undefined;
      /** Of one address that is no proxy. Default: 2000. */
      readonly address?: number | undefined;
    };
  };
  readonly worker?: {
    /** `['default']`, or slots for each: `{ email: 20, default: 5 }`. */
    readonly queues?: string | readonly string[] | Readonly<Record<string, number>> | undefined;
    /** Tasks run at the same time, by the queues without slots of their own. Default: 10. */
    readonly concurrency?: number | undefined;
    /** How long a stopping worker waits for running tasks. Default: `30s`. */
    readonly drain?: string | number | undefined;
    /** How long a silent worker keeps its tasks, the same for all workers and servers of a store: 1 s to 1 h. Default: `30s`. */
    readonly lease?: string | number | undefined;
    /** Memory of a process of an isolated task that does not say, in MB. Default: 512. */
    readonly memory?: number | undefined;
    readonly name?: string | undefined;
  };
  readonly defaults?: {
    /** Runs in all, or a policy. Default: 5 runs. */
    readonly retry?: number | RetrySetting | undefined;
    /** Longest run; `null` is none. Default: `1h`. */
    readonly timeout?: string | number | null | undefined;
    readonly keep?: {
      /** Default: `3d`. */
      readonly succeeded?: string | number | undefined;
      /** Default: `30d`. */
      readonly failed?: string | number | undefined;
    };
  };
  readonly audit?: {
    /** How long it is kept who did what. Default: `90d`. */
    readonly keep?: string | number | undefined;
  };
  /** Paths of values that nobody is shown: `['input.card.number', '**.password']`. Default: none. */
  readonly redact?: string | readonly string[] | undefined;
  readonly log?: {
    readonly level?: 'debug' | 'info' | 'warn' | 'error' | undefined;
    /** Default: `auto`, words on a terminal and lines of JSON elsewhere. */
    readonly format?: 'auto' | 'json' | 'text' | undefined;
  };
  readonly color?: 'auto' | 'always' | 'never' | undefined;
}

/**
 * Types a config file; returns it as it is. What is in it is checked when a process reads it.
 *
 * @example
 * // taskflow.config.ts
 * export default defineConfig({ tasks: 'src/tasks', worker: { queues: { email: 20, default: 5 } } });
 */
export function defineConfig(config: ConfigFile): ConfigFile {
  return config;
}
