/** One connection to Redis: scripts by their digest, each with a deadline, nothing sent twice. */

import type { Redis } from 'ioredis';
import { type Chance, createToken } from '../../core/chance.ts';
import { TaskFlowError, taskFlowError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { type Clock, scheduleDeadline } from '../../core/time.ts';
import type { BrokerInfo, Signal } from '../broker.ts';
import type { Durability } from '../durability.ts';
import { gapMs } from '../notify.ts';
import { createCalls, send } from './calls.ts';
import { isOutdated, translate } from './errors.ts';
import { greet, selectDatabase } from './greet.ts';
import { type Hearing, hear } from './hear.ts';
import { createLink, type Link } from './link.ts';
import type { Fields } from './raw.ts';
import { loadScripts, type ScriptName, type Scripts } from './scripts.ts';
import { type Address, addressOf, createWay } from './way.ts';

/** The version of the protocol: what keys and scripts mean. */
const protocol = 3;
/** The one before it, which has no packs (lua/packs.lua) and nothing else: it is served as it is until nobody is left who knows of none. */
const protocolBefore = 2;

/** An argument of a script. */
export type Argument = string | number;

export interface Connection {
  connect(): Promise<void>;
  /** Runs a script over the namespace. What it answers is for the caller to know: `Reply` is not checked. */
  run<Reply>(script: ScriptName, args: readonly Argument[]): Promise<Reply>;
  /** Fields of hashes as they are stored, those of one hash as of one moment. Rejects with STORE_REPLACED for those of other data. */
  readHashes(wanted: readonly (readonly [hash: string, fields: readonly string[]])[]): Promise<readonly Fields[]>;
  /** Entries of the stream behind number `after`; waits up to `waitMs` for the first, on a connection of its own. */
  readStream(name: string, asked: StreamRequest): Promise<readonly StreamEntry[]>;
  /** Whose data this is now, and how safe. What was wiped is set up anew. */
  identify(): Promise<Omit<BrokerInfo, 'kind'>>;
  /** Tells whoever listens, in any process. */
  publish(payload: string): Promise<unknown>;
  /** Hears what others tell, on a connection of its own. Answers how to stop. */
  listen(emit: (signal: Signal) => void): () => void;
  /** Whether what is told to this process alone is heard. */
  readonly isHearing: boolean;
  /** Who tells: nobody needs to hear what they told themselves. */
  readonly own: string;
  /** Makes the connections for commands anew; whoever listens looks after its own. */
  reconnect(): void;
  /** Gives up the reads that wait: nobody wants their answer. */
  stopWaiting(): void;
  close(): void;
}

/** Each waits on a connection of its own. */
export type StreamReader = 'recorder' | 'onlooker';

export interface StreamRequest {
  readonly reader: StreamReader;
  readonly after: number;
  readonly limit: number;
  readonly waitMs: number;
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

/** Scripts after which somebody may be waiting for work. */
const tellers: ReadonlySet<ScriptName> = new Set(['enqueue', 'settle', 'promote']);

/** For the calls that ask whose data this is. */
const anybody = '-'.repeat(32);

export function createConnection(options: ConnectionOptions): Connection {
  const { address, namespace, clock, chance, now, scripts = loadScripts() } = options;
  const prefix = `{${namespace}}:`;
  const channel = `${prefix}signals`;
  const place = addressOf(address);
  const way = createWay(place, namespace);
  const time = { clock, chance };
  const own = createToken(chance);
  const mayTell = createGate(clock);
  const calls = createCalls(scripts);
  /** Whose data this process works on: scripts refuse to go on with another's. */
  let incarnation = anybody;
  let durability: Durability = { durability: 'unverified', detail: 'not opened' };

  const link = createLink({
    way,
    greet: async (client) => {
      durability = await greet(client, place);
      await meet(client);
    },
    look: (client) => client.ping(),
    ...time,
  });
  /** For reads that wait, by their reader: whatever came behind one on the same connection would wait as well. */
  const waiting = createWaitingLinks(() =>
    createLink({ way, greet: (client) => selectDatabase(client, place), look: null, ...time }),
  );
  let hearing: Hearing | null = null;

  /** What the prelude of the scripts reads first, but for the time. */
  const headerOf = (script: ScriptName): string =>
    tellers.has(script) && mayTell() ? `${incarnation}!${own}` : incarnation;

  /** Sets the namespace up when it is new; what is there counts from now on. */
  const meet = async (on: Redis): Promise<readonly [incarnation: string, protocol: number]> => {
    const given = [createToken(chance), protocol];
    const [found, version, forbidden] = (await evaluate(on, anybody, 'open', given)) as [Buffer, Buffer, Buffer[]];
    if (forbidden.length > 0) throw new Error(`NOPERM this user may not run ${forbidden.join(', ')} on its keys`);
    if (Number(version) > protocol) throw taskFlowError('STORE_TOO_NEW', { found: String(version), known: protocol });
    if (Number(version) < protocolBefore)
      throw taskFlowError('STORE_TOO_OLD', { found: String(version), known: protocol });
    incarnation = String(found);
    return [incarnation, Number(version)];
  };

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

  const evaluate = (on: Redis, whose: string, script: ScriptName, args: readonly Argument[]): Promise<unknown> =>
    calls(on, script, [1, prefix, now === undefined ? whose : `${whose}${now()}`, ...args]);

  /** The caller has to know; whoever comes after works on what is there now. */
  const meetOthers = async (error: unknown): Promise<never> => {
    if (error instanceof TaskFlowError && error.code === 'STORE_REPLACED') await ask(link, meet);
    throw error;
  };

  return {
    connect: () => link.open(),
    identify: async () => {
      const [at, found] = (await ask(link, (on) => evaluate(on, anybody, 'info', []))) as [number, Buffer | null];
      const isKnown = found !== null && String(found) === incarnation;
      if (!isKnown) await ask(link, meet);
      return { ...durability, incarnation, protocol, now: at };
    },
    run: async <Reply>(script: ScriptName, args: readonly Argument[]) => {
      const question = (on: Redis): Promise<unknown> => evaluate(on, headerOf(script), script, args);
      return (await ask(link, question).catch(meetOthers)) as Reply;
    },
    readHashes: (wanted) => ask(link, (on) => readHashes(on, prefix, incarnation, wanted)).catch(meetOthers),
    readStream: async (name, { reader, after, limit, waitMs }) => {
      const key = `${prefix}${name}`;
      if (waitMs <= 0) return ask(link, (on) => on.xrange(key, `(${after}-0`, '+', 'COUNT', limit));
      const found = await ask(
        waiting.of(reader),
        (on) => on.xread('COUNT', limit, 'BLOCK', waitMs, 'STREAMS', key, `${after}-0`),
        waitMs,
      );
      return found?.[0]?.[1] ?? [];
    },
    publish: (payload) => ask(link, (on) => on.spublish(channel, payload)),
    own,
    listen: (emit) => {
      hearing = hear({ way, channel, own, emit, ...time });
      return hearing.close;
    },
    get isHearing() {
      return hearing?.isHearing === true;
    },
    reconnect: () => {
      if (link.client !== null) link.drop(link.client);
      waiting.drop();
    },
    stopWaiting: () => waiting.close(),
    close: () => {
      link.close();
      waiting.close();
    },
  };
}

/** Whose they are is asked behind them: data that came meanwhile is noticed. */
async function readHashes(
  on: Redis,
  prefix: string,
  incarnation: string,
  wanted: Parameters<Connection['readHashes']>[0],
): Promise<readonly Fields[]> {
  const asked = wanted.map(([hash, fields]) => send(on, ['HMGET', `${prefix}${hash}`, ...fields]));
  const whose = send(on, ['HGET', `${prefix}store`, 'incarnation']);
  const [found, owner] = await Promise.all([Promise.all(asked), whose]);
  if (String(owner) !== incarnation) throw taskFlowError('STORE_REPLACED');
  return found as readonly Fields[];
}

/** Whether the script of a call that is sent now tells others itself. Beyond some hundred times a second they are told together. */
function createGate(clock: Clock): () => boolean {
  let passedAt = -Infinity;
  return () => {
    const now = clock.elapsed();
    if (now - passedAt < gapMs) return false;
    passedAt = now;
    return true;
  };
}

/** Connections for reads that wait, one for each reader, made when it first reads. */
function createWaitingLinks(make: () => Link) {
  const links = new Map<StreamReader, Link>();
  return {
    of(reader: StreamReader): Link {
      const known = links.get(reader);
      if (known !== undefined) return known;
      const made = make();
      links.set(reader, made);
      made.start();
      return made;
    },
    drop(): void {
      for (const link of links.values()) if (link.client !== null) link.drop(link.client);
    },
    close(): void {
      for (const link of links.values()) link.close();
    },
  };
}
