/** One connection to Redis: scripts by their digest, each with a deadline, nothing sent twice. */

import { Redis } from 'ioredis';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../core/time.ts';
import { isForbidden, isUnknownScript, translate } from './errors.ts';
import { loadScripts, type ScriptName, type Scripts } from './scripts.ts';

/** An argument of a script. */
export type Argument = string | number;

/** Where the server is: as `redis://` URL or as the path of its socket. */
export type Address = { readonly url: string } | { readonly path: string };

export interface Connection {
  connect(): Promise<void>;
  /** Runs a script over the namespace. What it answers is for the caller to know: `Reply` is not checked. */
  run<Reply>(script: ScriptName, args: readonly Argument[]): Promise<Reply>;
  /** Entries of the stream behind number `after`; waits up to `waitMs` for the first, on a connection of its own. */
  readStream(name: string, after: number, limit: number, waitMs: number): Promise<readonly StreamEntry[]>;
  /** A setting of the server, or `null` when it may not be read. */
  readSetting(name: string): Promise<string | null>;
  close(): void;
}

export type StreamEntry = readonly [id: string, fields: readonly string[]];

export interface ConnectionOptions {
  readonly address: Address;
  readonly namespace: string;
  readonly clock: Clock;
  /** Sent along as the time of the call; absent, a script asks the server for it. */
  readonly now?: () => number;
  /** Those with the limits of production when left out. */
  readonly scripts?: Scripts | undefined;
}

/**
 * A call that fails was not done, was done, or will be: as with any store, it may be sent again. The client itself never
 * does so, and keeps nothing for later: the loops above decide.
 */
const neverTwice = {
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
} as const;

const allScripts = loadScripts();

export function createConnection({
  address,
  namespace,
  clock,
  now,
  scripts = allScripts,
}: ConnectionOptions): Connection {
  const prefix = `{${namespace}}:`;
  const settings = {
    ...neverTwice,
    connectTimeout: limits.redisCallMs,
    retryStrategy: (times: number) => Math.min(limits.redisReconnectMs * times, limits.backoffMaxMs),
  };
  let problem = 'not connected';
  const createClient = (): Redis => {
    const made = 'url' in address ? new Redis(address.url, settings) : new Redis({ ...settings, path: address.path });
    // Every call that meets a dead connection says so itself.
    made.on('error', (error: Error) => {
      problem = error.message;
    });
    return made;
  };
  const client = createClient();
  /** For reads that wait: whatever came behind one on the same connection would wait as well. */
  let waiting: Redis | null = null;

  /**
   * The answer, or STORE_UNREACHABLE once the server has been silent for too long. Nothing tells a connection whose other end is
   * gone without a word from one that waits: it is given up, and the next call finds a new one.
   */
  const inTime = <Answer>(on: Redis, answer: Promise<Answer>, waitMs = 0): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const patienceMs = limits.redisCallMs + waitMs;
      const cancel = clock.schedule(patienceMs, () => {
        reject(taskFlowError('STORE_UNREACHABLE', { problem: `no answer within ${patienceMs} ms` }));
        on.disconnect(true);
      });
      const end = (settle: () => void): void => {
        cancel();
        settle();
      };
      answer.then(
        (value) => end(() => resolve(value)),
        (error: unknown) => end(() => reject(translate(error))),
      );
    });

  const evaluate = async (script: ScriptName, args: readonly Argument[]): Promise<unknown> => {
    const { sha, text } = scripts[script];
    const given = [1, prefix, now === undefined ? '' : now(), ...args];
    try {
      return await client.callBuffer('EVALSHA', [sha, ...given]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return client.callBuffer('EVAL', [text, ...given]);
    }
  };

  return {
    connect: () =>
      inTime(client, client.connect()).catch((error: unknown) => {
        throw taskFlowError('STORE_UNREACHABLE', { problem }, { cause: error });
      }),
    run: async <Reply>(script: ScriptName, args: readonly Argument[]) =>
      (await inTime(client, evaluate(script, args))) as Reply,
    readStream: async (name, after, limit, waitMs) => {
      const key = `${prefix}${name}`;
      if (waitMs <= 0) return inTime(client, client.xrange(key, `(${after}-0`, '+', 'COUNT', limit));
      if (waiting === null) {
        waiting = createClient();
        await inTime(waiting, waiting.connect());
      }
      const found = await inTime(
        waiting,
        waiting.xread('COUNT', limit, 'BLOCK', waitMs, 'STREAMS', key, `${after}-0`),
        waitMs,
      );
      return found?.[0]?.[1] ?? [];
    },
    readSetting: async (name) => {
      const asked = client.config('GET', name).catch((error: unknown) => {
        if (isForbidden(error)) return [];
        // Taken for forbidden, an outage would open a store as weaker than it must be.
        throw error;
      });
      const [, value] = (await inTime(client, asked)) as readonly string[];
      return value ?? null;
    },
    close: () => {
      client.disconnect();
      waiting?.disconnect();
    },
  };
}
