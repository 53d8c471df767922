/** One connection to Redis: scripts by their digest, each with a deadline, nothing sent twice. */

import { Redis } from 'ioredis';
import { taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { Clock } from '../../core/time.ts';
import { isUnknownScript, translate } from './errors.ts';
import { loadScripts, type ScriptName } from './scripts.ts';

/** An argument of a script. */
export type Argument = string | number;

/** Where the server is: as `redis://` URL or as the path of its socket. */
export type Address = { readonly url: string } | { readonly path: string };

export interface Connection {
  connect(): Promise<void>;
  /** Runs a script over the namespace. What it answers is for the caller to know: `Reply` is not checked. */
  run<Reply>(script: ScriptName, args: readonly Argument[]): Promise<Reply>;
  /** A setting of the server, or `null` when it may not be read. */
  readSetting(name: string): Promise<string | null>;
  close(): void;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly namespace: string;
  readonly clock: Clock;
  /** Sent along as the time of the call; absent, a script asks the server for it. */
  readonly now?: () => number;
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

const scripts = loadScripts();

export function createConnection({ address, namespace, clock, now }: ConnectionOptions): Connection {
  const prefix = `{${namespace}}:`;
  const settings = {
    ...neverTwice,
    connectTimeout: limits.redisCallMs,
    retryStrategy: (times: number) => Math.min(limits.redisReconnectMs * times, limits.backoffMaxMs),
  };
  const client = 'url' in address ? new Redis(address.url, settings) : new Redis({ ...settings, path: address.path });
  let problem = 'not connected';
  // Every call that meets a dead connection says so itself.
  client.on('error', (error: Error) => {
    problem = error.message;
  });

  /** The answer, or STORE_UNREACHABLE once the server has been silent for too long. */
  const inTime = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const cancel = clock.schedule(limits.redisCallMs, () =>
        reject(taskFlowError('STORE_UNREACHABLE', { problem: `no answer within ${limits.redisCallMs} ms` })),
      );
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
      inTime(client.connect()).catch((error: unknown) => {
        throw taskFlowError('STORE_UNREACHABLE', { problem }, { cause: error });
      }),
    run: async <Reply>(script: ScriptName, args: readonly Argument[]) =>
      (await inTime(evaluate(script, args))) as Reply,
    readSetting: async (name) => {
      const answer = await inTime(client.config('GET', name)).catch(() => []);
      return (answer as readonly string[])[1] ?? null;
    },
    close: () => client.disconnect(),
  };
}
