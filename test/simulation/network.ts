/** The way between a process and the store: it loses, delays, repeats and hangs; the store itself may be away. */

import type { Broker, EnqueueResult, Offer, Schedules, Signal, Taker } from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { Chance } from '../../src/core/chance.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import type { Presence } from '../../src/core/presence.ts';
import type { ClaimedTask, NewTask } from '../../src/core/task.ts';
import { watchClaims } from './claim-watch.ts';
import { type Watch, watchDrain } from './command-book.ts';
import { forkOf } from './fork.ts';
import type { SimProcess } from './sim-process.ts';
import { createStanding, type Handed } from './standing.ts';
import type { Timeline } from './timeline.ts';
import type { Method, Witness } from './witness.ts';

/** How likely each fault of one call is, 0 … 1; the rest are healthy calls. */
export interface NetworkRates {
  /** It does not arrive; the caller sees an error. */
  readonly requestLost: number;
  /** It is executed; the caller sees an error. */
  readonly replyLost: number;
  /** It takes long on one of its ways. */
  readonly slow: number;
  readonly slowMaxMs: number;
  /** It ends in an error only at the deadline of the caller's driver; it may have been executed. */
  readonly hangs: number;
  /** The driver sends it a second time and answers with what came last. */
  readonly resent: number;
  /** It is executed long after the caller saw an error. */
  readonly late: number;
  /** The process dies as the answer arrives: between two calls that belong together. */
  readonly diesAtReply: number;
  readonly hintLost: number;
  readonly hintLate: number;
}

export const calmRates: NetworkRates = {
  requestLost: 0,
  replyLost: 0,
  slow: 0,
  slowMaxMs: 0,
  hangs: 0,
  resent: 0,
  late: 0,
  diesAtReply: 0,
  hintLost: 0,
  hintLate: 0,
};

export interface Network {
  /** The store as one process reaches it. */
  connect(process: SimProcess): Broker;
  rates: NetworkRates;
  /** While `true` nothing reaches the store. */
  isStoreAway: boolean;
  /** Hands a signal of the store to every process that listens. */
  signal(signal: Signal): void;
  /** How often each fault happened. */
  readonly faults: Readonly<Record<string, number>>;
}

export interface NetworkOptions {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly witness: Witness;
  readonly tell: Tell;
  /** Told of every end of a call, for the trace. */
  readonly trace: (process: string, line: string, answer: () => string) => void;
}

/** A driver gives a call up after this at most. */
const deadlineMs = 20_000;
/** Of the enqueues: those made in the process of a worker that waits, and hands over. */
const handOverShare = 0.3;
/** Of those: after which the worker is told that nobody knows. */
const handOverLost = 0.2;

type Fault = Exclude<keyof NetworkRates, 'slowMaxMs' | 'hintLost' | 'hintLate'>;
const faultKinds: readonly Fault[] = ['requestLost', 'replyLost', 'slow', 'hangs', 'resent', 'late', 'diesAtReply'];

type Reply = { readonly answer: unknown } | { readonly error: unknown };

export function createNetwork(options: NetworkOptions): Network {
  const { timeline, chance, witness } = options;
  const listeners = new Map<SimProcess, Set<(signal: Signal) => void>>();
  const takers = new Map<SimProcess, { readonly taker: Taker; readonly watch: Watch }>();
  const standing = createStanding(options);
  const faults: Record<string, number> = {};
  const network: Network = { connect, rates: calmRates, isStoreAway: false, signal, faults };

  const between = (min: number, max: number): number => min + (max - min) * chance.float();
  const wayMs = (): number => between(0.1, 2);
  const noted = (name: string): void => {
    faults[name] = (faults[name] ?? 0) + 1;
  };

  function drawFault(): Fault | null {
    let at = chance.float();
    for (const kind of faultKinds) {
      at -= network.rates[kind];
      if (at < 0) return kind;
    }
    return null;
  }

  /** Executes at the store, or finds it away. */
  function reach(process: SimProcess, method: Method, given: readonly unknown[], done: (reply: Reply) => void): void {
    if (network.isStoreAway) {
      noted('away');
      done({ error: unreachable('the store is away') });
      return;
    }
    const executed = method === 'enqueue' ? enqueue(given) : standing.execute(process, method, given);
    executed.then(
      (answer) => done({ answer }),
      (error: unknown) => done({ error }),
    );
  }

  /** A worker that waits takes what it can in the same step: as one does in the process that enqueues. */
  async function enqueue(given: readonly unknown[]): Promise<unknown> {
    const [process, offer] = chance.float() < handOverShare ? openOffer() : [];
    const results = (await witness.execute('enqueue', given)) as readonly EnqueueResult[];
    const queues = claimableQueues(given[0] as readonly NewTask[], results);
    if (process === undefined || offer === undefined) {
      const handed = await standing.handOver(queues, results.length);
      if (handed !== null) tellHanded(handed);
      return results;
    }
    const request = queues.size === 0 ? null : offer.claim([...queues]);
    if (request === null) return results;
    noted('handedOver');
    const claimed = (await witness.execute('claim', [request])) as readonly ClaimedTask[];
    const told = Promise.withResolvers<unknown>();
    void takers
      .get(process)
      ?.watch('claim', [request], told.promise)
      .catch(() => undefined);
    process.deliver(wayMs(), () => {
      if (chance.float() < handOverLost) {
        told.reject(new Error('nobody knows'));
        offer.failed();
      } else {
        told.resolve(claimed);
        offer.taken(claimed);
      }
    });
    return results;
  }

  /** Of a process that turns now. */
  function openOffer(): [SimProcess, Offer] | [] {
    const awake = [...takers].filter(([process]) => process.isAlive && !process.isFrozen && !process.isRetired);
    const [process, { taker } = { taker: () => null }] = awake[Math.floor(chance.float() * awake.length)] ?? [];
    const offer = taker();
    return process === undefined || offer === null ? [] : [process, offer];
  }

  function call(process: SimProcess, method: Method, given: readonly unknown[]): Promise<unknown> {
    if (!process.isAlive) return new Promise(() => undefined);
    if (process.isRetired) options.tell('stop', null, `${process.name} calls ${method} after its stop`);
    const fault = drawFault();
    if (fault !== null) noted(fault);
    return new Promise((resolve, reject) => {
      const answerIn = (delayMs: number, reply: Reply): void =>
        void process.deliver(delayMs, () => {
          options.trace(process.name, `${method} ${fault ?? ''} `, () => wordsOf(reply));
          if (fault === 'diesAtReply') process.crash();
          else if ('error' in reply) reject(reply.error);
          else resolve(reply.answer);
        });
      const executeIn = (delayMs: number, done: (reply: Reply) => void): void =>
        void timeline.at(timeline.now + delayMs, () => reach(process, method, given, done));
      send(fault, answerIn, executeIn);
    });
  }

  function send(
    fault: Fault | null,
    answerIn: (delayMs: number, reply: Reply) => void,
    executeIn: (delayMs: number, done: (reply: Reply) => void) => void,
  ): void {
    const ignore = (): void => undefined;
    // Only where it is told: an error is dearer than all else that a call costs here.
    const error = (): Reply => ({ error: unreachable(`the call was hit by ${fault}`) });
    const slowMs = between(1, network.rates.slowMaxMs);
    const isEarly = chance.float() < 0.5;
    if (fault === 'requestLost') answerIn(between(1, 1_000), error());
    else if (fault === 'replyLost') {
      executeIn(wayMs(), ignore);
      answerIn(between(3, 1_000), error());
    } else if (fault === 'hangs') {
      if (isEarly) executeIn(wayMs(), ignore);
      answerIn(deadlineMs, error());
    } else if (fault === 'late') {
      executeIn(between(500, 10_000), ignore);
      answerIn(between(1, 400), error());
    } else if (fault === 'resent') {
      executeIn(wayMs(), ignore);
      executeIn(between(3, 300), (reply) => answerIn(wayMs(), reply));
    } else if (fault === 'slow') {
      executeIn(isEarly ? slowMs : wayMs(), (reply) => answerIn(isEarly ? wayMs() : slowMs, reply));
    } else executeIn(wayMs(), (reply) => answerIn(wayMs(), reply));
  }

  function connect(process: SimProcess): Broker {
    const claims = watchClaims(options.tell);
    const watch = watchBoth(claims.watch, watchDrain(options.tell));
    listeners.set(process, new Set());
    const subscribe = (listener: (signal: Signal) => void, taker?: Taker) => {
      const hear = (one: Signal): void => {
        claims.hear(one);
        listener(one);
      };
      listeners.get(process)?.add(hear);
      if (taker !== undefined) takers.set(process, { taker, watch });
      return () => void listeners.get(process)?.delete(hear);
    };
    const schedules = new Proxy({} as Schedules, {
      get:
        (_target, name: string) =>
        (...given: unknown[]) =>
          call(process, `schedules.${name}` as Method, given),
    });
    return new Proxy({} as Broker, {
      get(_target, name: string) {
        if (name === 'subscribe') return subscribe;
        if (name === 'schedules') return schedules;
        if (name === 'reconnect') return undefined;
        if (name === 'keepsClaims') return true;
        return (...given: unknown[]) => {
          const sent = name === 'heartbeat' ? placed(process, given) : given;
          return watch(name, sent, call(process, name as Method, sent));
        };
      },
    });
  }

  function tellHanded({ process, token, claimed }: Handed): void {
    noted('handed');
    tellOne(process, { kind: 'handed', token, claimed });
  }

  /** Drawn apart: a store may tell more than another, and everything else is to go on as it does there. */
  const hintChance = forkOf(chance);

  function signal(one: Signal): void {
    for (const process of listeners.keys()) {
      if (process.isAlive) tellOne(process, one);
      else listeners.delete(process);
    }
  }

  function tellOne(process: SimProcess, one: Signal): void {
    const mine = listeners.get(process) ?? new Set();
    if (mine.size === 0 || hintChance.float() < network.rates.hintLost) return;
    const delayMs =
      hintChance.float() < network.rates.hintLate ? 10 + 4_990 * hintChance.float() : 0.1 + 1.9 * hintChance.float();
    process.deliver(delayMs, () => {
      for (const listener of mine) listener(one);
    });
  }

  return network;
}

function claimableQueues(tasks: readonly NewTask[], results: readonly EnqueueResult[]): ReadonlySet<string> {
  const isNew = ({ outcome }: EnqueueResult): boolean => outcome === 'created' || outcome === 'replaced';
  const isQueued = (result: EnqueueResult): boolean => 'state' in result && result.state === 'queued';
  return new Set(
    tasks.flatMap((task, index) => {
      const result = results[index];
      return result !== undefined && isNew(result) && isQueued(result) ? [task.queue] : [];
    }),
  );
}

/** Sees what a process sends, also as an offer that an enqueue takes up, and what it is answered. */
const watchBoth =
  (outer: Watch, inner: Watch): Watch =>
  (name, given, call) =>
    outer(name, given, inner(name, given, call));

/** Heartbeats name the process of the machine that runs the simulation; here each has a place of its own. */
function placed(process: SimProcess, [request]: readonly unknown[]): readonly unknown[] {
  const { worker, ...rest } = request as { readonly worker: Presence };
  return [{ ...rest, worker: { ...worker, host: process.host, pid: process.pid, bootId: 'simulated' } }];
}

const unreachable = (problem: string): Error => taskFlowError('STORE_UNREACHABLE', { problem });

function wordsOf(reply: Reply): string {
  if ('error' in reply) return `→ ${reply.error instanceof Error ? reply.error.message : String(reply.error)}`;
  const text = JSON.stringify(reply.answer) ?? '';
  return `→ ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`;
}
