/** One connection to Redis: scripts by their digest, each with a deadline, nothing sent twice. */

import { Redis } from 'ioredis';
import type { Chance } from '../../core/chance.ts';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { type Clock, scheduleDeadline } from '../../core/time.ts';
import type { Signal } from '../broker.ts';
import { isForbidden, isOutdated, isUnknownScript, translate } from './errors.ts';
import { hear } from './hear.ts';
import { createLink, type Link } from './link.ts';
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
  /** Tells whoever listens, in any process. */
  publish(payload: string): Promise<unknown>;
  /** Hears what others tell, on a connection of its own; `own` says what is not needed. Answers how to stop. */
  listen(own: string, emit: (signal: Signal) => void): () => void;
  close(): void;
}

export type StreamEntry = readonly [id: string, fields: readonly string[]];

export interface ConnectionOptions {
  readonly address: Address;
  readonly namespace: string;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Sent along as the time of the call; absent, a script asks the server for it. */
  readonly now?: () => number;
  /** Those with the limits of production when left out. */
  readonly scripts?: Scripts | undefined;
}

/**
 * A call that fails was not done, was done, or will be: as with any store, it may be sent again. The client itself never
 * does so, keeps nothing for later, and does not connect again: the loops above decide, and link.ts.
 */
const neverTwice = {
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
  retryStrategy: () => null,
  connectTimeout: limits.redisCallMs,
  // A connection that is given up is gone, whether its other end says so or not.
  disconnectTimeout: 100,
} as const;

const allScripts = loadScripts();

export function createConnection(options: ConnectionOptions): Connection {
  const { address, namespace, clock, chance, now, scripts = allScripts } = options;
  const prefix = `{${namespace}}:`;
  const channel = `${prefix}signals`;
  const create = (): Redis =>
    'url' in address ? new Redis(address.url, neverTwice) : new Redis({ ...neverTwice, path: address.path });
  const time = { clock, chance };
  const link = createLink({ create, greet: async () => {}, pings: true, ...time });
  /** For reads that wait: whatever came behind one on the same connection would wait as well. */
  let waiting: Link | null = null;

  /**
   * The answer, or STORE_UNREACHABLE once the server has been silent for too long. Nothing tells a connection whose other end is
   * gone without a word from one that waits: it is given up, and the next call finds a new one.
   */
  const inTime = <Answer>(of: Link, on: Redis, answer: Promise<Answer>, waitMs = 0): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const patienceMs = limits.redisCallMs + waitMs;
      const cancel = scheduleDeadline(clock, patienceMs, () => {
        const problem = `no answer within ${patienceMs} ms, so whether the call was done is not known`;
        reject(taskFlowError('STORE_UNREACHABLE', { problem }));
        of.drop(on);
      });
      answer.then(
        (value) => {
          cancel();
          resolve(value);
        },
        (error: unknown) => {
          cancel();
          if (isOutdated(error)) of.drop(on);
          reject(translate(error));
        },
      );
    });

  /** Asks once there is a connection. */
  const ask = async <Answer>(of: Link, question: (on: Redis) => Promise<Answer>, waitMs = 0): Promise<Answer> => {
    const on = of.client ?? (await of.arrive());
    return inTime(of, on, question(on), waitMs);
  };

  const evaluate = async (on: Redis, script: ScriptName, args: readonly Argument[]): Promise<unknown> => {
    const { sha, text } = scripts[script];
    const given = [1, prefix, now === undefined ? '' : now(), ...args];
    try {
      return await on.callBuffer('EVALSHA', [sha, ...given]);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return on.callBuffer('EVAL', [text, ...given]);
    }
  };

  return {
    connect: () => link.open(),
    run: async <Reply>(script: ScriptName, args: readonly Argument[]) =>
      (await ask(link, (on) => evaluate(on, script, args))) as Reply,
    readStream: async (name, after, limit, waitMs) => {
      const key = `${prefix}${name}`;
      if (waitMs <= 0) return ask(link, (on) => on.xrange(key, `(${after}-0`, '+', 'COUNT', limit));
      if (waiting === null) {
        waiting = createLink({ create, greet: async () => {}, pings: false, ...time });
        await waiting.open();
      }
      const found = await ask(
        waiting,
        (on) => on.xread('COUNT', limit, 'BLOCK', waitMs, 'STREAMS', key, `${after}-0`),
        waitMs,
      );
      return found?.[0]?.[1] ?? [];
    },
    readSetting: async (name) => {
      const asked = ask(link, async (on) => {
        try {
          return (await on.config('GET', name)) as readonly string[];
        } catch (error) {
          if (isForbidden(error)) return [];
          // Taken for forbidden, an outage would open a store as weaker than it must be.
          throw error;
        }
      });
      const [, value] = await asked;
      return value ?? null;
    },
    publish: (payload) => ask(link, (on) => on.spublish(channel, payload)),
    listen: (own, emit) => hear({ create, channel, own, emit, ...time }),
    close: () => {
      link.close();
      waiting?.close();
    },
  };
}
