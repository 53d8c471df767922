/** One simulated setup from its seed: who is in it, what happens to it, and what it leaves behind. */

import type { ClientEntry, Effect } from '../../src/checker/evidence.ts';
import type { Tell, Violation } from '../../src/checker/verdict.ts';
import { type Chance, seededChance } from '../../src/core/chance.ts';
import type { NewTask } from '../../src/core/task.ts';
import type { Clock } from '../../src/core/time.ts';
import { type ClientOptions, interfere, produce } from './clients.ts';
import { numberOf } from './code-schedules.ts';
import { deploy } from './deployer.ts';
import { forkOf } from './fork.ts';
import type { SimPayload } from './handlers.ts';
import { drawSeat, type Seat, startMember } from './members.ts';
import { type Mutation, withCalls } from './mutation.ts';
import { calmRates, createNetwork, type Network } from './network.ts';
import { createProcess, type SimProcess } from './sim-process.ts';
import { type OutsideStore, openStore, type SimStore, type StoreKind, type StorePlace } from './sim-store.ts';
import { drawSwarm, type Swarm } from './swarm.ts';
import { createTimeline, type Timeline } from './timeline.ts';
import { createWitness, type Witness } from './witness.ts';

/** Who tells a hint, in a story. */
export const hintMark = 'hint';

export interface WorldOptions {
  readonly seed: number;
  readonly store: StoreKind | OutsideStore;
  readonly mutation?: Mutation | undefined;
  /** Keeps a line for everything that happens. */
  readonly trace?: boolean | undefined;
}

/** Everything in it, as the nemesis moves it and the report reads it. */
export interface World {
  readonly swarm: Swarm;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly store: SimStore;
  readonly witness: Witness;
  readonly network: Network;
  readonly seats: Seat[];
  readonly processes: SimProcess[];
  readonly client: ClientEntry[];
  readonly effects: Effect[];
  readonly violations: Violation[];
  readonly lines: string[];
  /** Every event that the seed alone decides, in short: `trace` without answers, and every kind of hint. */
  readonly story: string[];
  /** From now on nothing bad happens any more. */
  isHealed: boolean;
  /** Moves the store's wall clock. */
  stepStore(ms: number): void;
  /** `answer` is what came of it, for people. */
  trace(who: string, line: string, answer?: () => string): void;
  start(seat: Seat): void;
  /** Lets another producer enqueue so many tasks. */
  startProducer(share: number): void;
  close(): Promise<void>;
}

const epochMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;

export async function createWorld(options: WorldOptions): Promise<World> {
  const swarm = { ...drawSwarm(options.seed), ...options.mutation?.swarm };
  const timeline = createTimeline();
  const chance = seededChance(options.seed * 2);
  let storeStepMs = 0;
  const storeNow = (): number => Math.round(epochMs + timeline.now + storeStepMs);
  const storeClock: Clock = {
    now: storeNow,
    elapsed: () => timeline.now,
    schedule: (delayMs, callback) => timeline.at(timeline.now + delayMs, callback),
  };
  const { mutation } = options;
  const store = await openMutated(options, { clock: storeClock, chance: forkOf(chance), timeline });
  const violations: Violation[] = [];
  const client: ClientEntry[] = [];
  const tell: Tell = (rule, taskId, sentence) => void violations.push({ rule, taskId, sentence });
  const lines: string[] = [];
  const story: string[] = [];
  const trace: World['trace'] = (who, line, answer = () => '') => {
    story.push(`${timeline.now} ${who} ${line}`);
    if (options.trace === true)
      lines.push(`${timeline.now.toFixed(3).padStart(12)} ${who.padEnd(10)} ${line}${answer()}`);
  };
  const processes: SimProcess[] = [];
  const isDead = (pid: number): boolean => processes[pid - 1]?.isAlive === false;
  let numbers = 0;
  const nextNumber = (): number => ++numbers;
  const onStored = (task: NewTask): void => {
    // Nobody but the schedule, or the run, has asked for it, and its answer is the store's own.
    const { firedBy } = task;
    const n = firedBy === null ? (JSON.parse(task.payload) as SimPayload).n : numberOf(firedBy.schedule, firedBy.at);
    const entry = { taskId: task.id, n, pid: 0 };
    client.push(
      { at: timeline.now, step: 'invoke', asked: task, ...entry },
      { at: timeline.now, step: 'ok', ...entry },
    );
  };
  const witness = createWitness({ store, storeNow, elapsed: () => timeline.now, onStored, isDead, tell });
  const network = createNetwork({ timeline, chance, witness, tell, trace });
  store.broker.subscribe((signal) => {
    story.push(`${timeline.now} ${hintMark} ${signal.kind}`);
    network.signal(signal);
  });
  const seats: Seat[] = [];
  const effects: Effect[] = [];

  function spawn(name: string, host: string): SimProcess {
    const process = createProcess(timeline, {
      name,
      host,
      pid: processes.length + 1,
      seed: Math.floor(chance.float() * 2 ** 32),
      rate: swarm.drifting ? 0.95 + 0.1 * chance.float() : 1,
      wallMs: epochMs + timeline.now + (swarm.skewed ? (2 * chance.float() - 1) * dayMs : 0),
    });
    processes.push(process);
    return process;
  }

  function start(seat: Seat): void {
    const process = spawn(seat.name, seat.host);
    const broker = network.connect(process);
    const isGone = (place: { readonly host: string; readonly pid: number }): boolean =>
      place.host === process.host && isDead(place.pid);
    const note = (effect: Omit<Effect, 'at' | 'pid'>): void => {
      effects.push({ at: timeline.now, pid: process.pid, ...effect });
      trace(process.name, `handler ${effect.what} ${effect.how ?? ''} ${effect.taskId} epoch ${effect.epoch}`);
    };
    trace(seat.name, `starts as ${process.pid}`);
    const bent = mutation?.member === undefined ? broker : withCalls(broker, mutation.member(broker, process));
    const member = startMember(seat, { process, broker: bent, swarm, isGone, nextNumber, note });
    const bendStop = mutation?.stop;
    seat.member = bendStop === undefined ? member : { ...member, stop: () => bendStop(() => member.stop()) };
  }

  const world: World = {
    swarm,
    timeline,
    chance,
    store,
    witness,
    network,
    seats,
    processes,
    client,
    effects,
    violations,
    lines,
    story,
    isHealed: false,
    stepStore: (ms) => {
      storeStepMs += ms;
      witness.stepped(ms);
    },
    trace,
    start,
    startProducer: () => undefined,
    async close() {
      await store.close();
      timeline.close();
    },
  };
  network.rates = swarm.rates;
  for (let index = 0; index < swarm.servers; index++) seats.push(drawSeat(chance, 'server', index));
  for (let index = 0; index < swarm.workers; index++) seats.push(drawSeat(chance, 'worker', index));
  for (const seat of seats) start(seat);
  const open = clientsOf(world, spawn, storeNow, nextNumber, mutation);
  world.startProducer = (share) => void produce(open('producer'), share);
  const share = Math.ceil(swarm.tasks / swarm.producers);
  for (let index = 0; index < swarm.producers; index++) void produce(open(`producer${index}`), share);
  for (let index = 0; index < swarm.people; index++) void interfere(open(`person${index}`));
  if (swarm.schedules > 0) void deploy(open('deployer'));
  return world;
}

async function openMutated({ store: kind, mutation }: WorldOptions, place: StorePlace): Promise<SimStore> {
  const store = await openStore(kind, place);
  if (mutation?.store === undefined) return store;
  return { ...store, broker: withCalls(store.broker, mutation.store(store)) };
}

/** Makes the client of a given name, in a process of its own. */
function clientsOf(
  world: World,
  spawn: (name: string, host: string) => SimProcess,
  storeNow: () => number,
  nextNumber: () => number,
  mutation: Mutation | undefined,
): (name: string) => ClientOptions {
  const { swarm, network } = world;
  const known: string[] = [];
  return (name) => {
    const process = spawn(name, 'far');
    return {
      process,
      broker: network.connect(process),
      swarm,
      storeNow,
      nextNumber,
      note: (entry) => void world.client.push({ at: world.timeline.now, pid: process.pid, ...entry }),
      known,
      isOver: () => world.isHealed,
      ...(mutation?.beforeRepeat === undefined ? {} : { beforeRepeat: mutation.beforeRepeat }),
    };
  };
}

/** From now on: a calm network, everybody awake and restarted, and one worker that serves everything. */
export function heal(world: World): void {
  world.isHealed = true;
  // Hints may stay lost: without them everything is slower, and nothing else.
  world.network.rates = { ...calmRates, hintLost: world.swarm.rates.hintLost };
  world.network.isStoreAway = false;
  world.trace('world', 'is healed');
  for (const process of world.processes) process.thaw();
  const rescue = drawSeat(world.chance, 'worker', world.seats.length, true);
  world.seats.push(rescue);
  world.start(rescue);
  // So that something happens in every world.
  world.startProducer(1);
}
