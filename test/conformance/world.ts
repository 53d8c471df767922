/** One store with a hand-moved clock, and the one way to check a call: its answer and everything it changed. */

import { expect } from 'vitest';
import type { Broker, EnqueueResult, Signal } from '../../src/broker/broker.ts';
import { seededChance } from '../../src/core/chance.ts';
import { taskFlowError } from '../../src/core/errors.ts';
import type { TaskState } from '../../src/core/states.ts';
import type { ClaimedTask, NewTask, Task, Verdict } from '../../src/core/task.ts';
import { type Changes, changesBetween, type Dump, dumpOf } from './dump.ts';
import { checkInvariants } from './invariants.ts';
import { claimRequest, finish, newTask, sampleId, sampleToken, settlement, startAt, storedTask } from './samples.ts';
import type { CreateStore, StoreUnderTest } from './store.ts';

/** The store's wall clock. It may be moved back. */
export interface HandClock {
  now(): number;
  move(ms: number): void;
}

/** A task brought into a state. `token` is that of its last lease, or a foreign one when it never had any. */
export interface Subject {
  readonly id: string;
  readonly token: string;
  /** Of its last claim; 0 before the first. Left out where nobody asks. */
  readonly epoch?: number;
}

export interface World {
  readonly store: StoreUnderTest;
  readonly clock: HandClock;
  /** The broker in use: `reopen` replaces it. */
  broker(): Broker;
  reopen(): Promise<void>;
  /** The next call is done, and then fails with STORE_UNREACHABLE. */
  loseNextReply(): void;
  nextId(): string;
  nextToken(): string;
  dump(): Promise<Dump>;
  task(id: string): Promise<Task>;
  /** Enqueues one task and answers its id. */
  put(given?: Partial<NewTask>): Promise<string>;
  /** Claims everything of queue "default" under a new token. */
  claimAll(): Promise<readonly ClaimedTask[]>;
  /** A task in this state, whichever way leads there. */
  bring(state: TaskState | 'absent', given?: Partial<NewTask>): Promise<Subject>;
  settle(subject: Subject, verdict: Verdict): Promise<void>;
  /** Makes the call and compares its answer and what it changed in the whole store. */
  check(call: (broker: Broker) => Promise<unknown>, answer: unknown, changes?: Changes): Promise<void>;
  /** The call fails with this code and changes nothing. */
  checkRefused(call: (broker: Broker) => Promise<unknown>, code: string): Promise<void>;
  /** Signals since the last look. */
  signals(): readonly Signal[];
  /** Checks the invariants since the last time. */
  checkAll(): Promise<void>;
  close(): Promise<void>;
}

/** A sentence about behaviour, and what shows it. */
export type Case = readonly [sentence: string, show: (world: World) => Promise<void>];

export async function createWorld(createStore: CreateStore): Promise<World> {
  let now = startAt;
  let numbers = 0;
  let lost = false;
  let lastDump: Dump | undefined;
  let signals: Signal[] = [];
  const move = (ms: number): void => {
    now += ms;
  };
  const clock: HandClock = { now: () => now, move };
  const store = await createStore({ now: clock.now, chance: seededChance(7) });
  let broker = await connect();

  async function connect(): Promise<Broker> {
    const connection = await store.connect();
    connection.subscribe((signal) => signals.push(signal));
    return withLostReplies(connection, () => {
      const isLost = lost;
      lost = false;
      return isLost;
    });
  }

  const world: World = {
    store,
    clock,
    broker: () => broker,
    async reopen() {
      await broker.close();
      broker = await connect();
    },
    loseNextReply() {
      lost = true;
    },
    nextId: () => sampleId(++numbers),
    nextToken: () => sampleToken(++numbers),
    dump: () => dumpOf(store, broker),
    async task(id) {
      const [task] = await broker.getTasks([id]);
      return task!;
    },
    async put(given = {}) {
      const id = given.id ?? world.nextId();
      const results: readonly EnqueueResult[] = await broker.enqueue([newTask(id, given)]);
      expect(results[0]?.outcome).toMatch(/created|replaced/);
      return id;
    },
    claimAll: () => broker.claim(claimRequest(world.nextToken())),
    bring: (state, given) => bring(world, state, given),
    async settle({ id, token }, verdict) {
      const { epoch } = await world.task(id);
      const { results } = await broker.settle([settlement(id, { taskId: id, token, epoch }, verdict)]);
      expect(results).toEqual([{ outcome: 'applied' }]);
    },
    async check(call, answer, changes = {}) {
      const before = await world.dump();
      expect(await call(broker)).toEqual(answer);
      expect(changesBetween(before, await world.dump())).toEqual(changes);
    },
    async checkRefused(call, code) {
      const before = await world.dump();
      const eventsBefore = await store.events();
      await expect(call(broker)).rejects.toMatchObject({ code });
      expect(await world.dump()).toEqual(before);
      expect(await store.events()).toEqual(eventsBefore);
    },
    signals() {
      const seen = signals;
      signals = [];
      return seen;
    },
    async checkAll() {
      const dump = await world.dump();
      checkInvariants(dump, await store.events(), lastDump);
      lastDump = dump;
    },
    async close() {
      await broker.close();
      await store.dispose();
    },
  };
  return world;
}

async function bring(world: World, state: TaskState | 'absent', given: Partial<NewTask> = {}): Promise<Subject> {
  const foreign = world.nextToken();
  if (state === 'absent') return { id: world.nextId(), token: foreign };
  if (state === 'blocked') {
    const { key = null, queue = 'default', expiresInMs, startWithinMs, delayMs = 0 } = given;
    const id = world.nextId();
    const times = {
      dueAt: startAt + delayMs,
      expiresAt: expiresInMs == null ? null : startAt + expiresInMs,
      startBy: startWithinMs == null ? null : startAt + startWithinMs,
    };
    await world
      .broker()
      .restore([storedTask(id, { key, queue, ...(given.ifExists && { ifExists: given.ifExists }), ...times })]);
    return { id, token: foreign, epoch: 0 };
  }
  const id = await world.put(state === 'scheduled' ? { delayMs: 60_000, ...given } : given);
  if (state === 'scheduled' || state === 'queued') return { id, token: foreign, epoch: 0 };
  const token = world.nextToken();
  await world.broker().claim(claimRequest(token, { queues: [{ name: given.queue ?? 'default', limit: 100 }] }));
  if (state !== 'running') await world.settle({ id, token }, finish(state));
  return { id, token, epoch: 1 };
}

/** A reply that is lost on the way: the call was made all the same. */
function withLostReplies<Target extends object>(broker: Target, isLost: () => boolean): Target {
  return new Proxy(broker, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver);
      if (name === 'schedules' && typeof member === 'object' && member !== null) return withLostReplies(member, isLost);
      if (typeof member !== 'function' || name === 'subscribe') return member;
      return async (...given: unknown[]) => {
        const answer: unknown = await member.apply(target, given);
        if (isLost()) throw taskFlowError('STORE_UNREACHABLE', { problem: 'the reply was lost' });
        return answer;
      };
    },
  });
}
