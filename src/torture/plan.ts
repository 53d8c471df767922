/** What a seed decides before anything starts: who is there, how much work comes, and what goes wrong when. */

import { type Chance, seededChance } from '../core/chance.ts';
import { between, nextIn, pick } from './draw.ts';

/** The kinds of stores that can be tortured. */
export const grounds = ['sqlite', 'postgres', 'redis'] as const;
export type GroundKind = (typeof grounds)[number];
/** The databases in which the record of one that is none can be. */
export const records = ['sqlite', 'postgres'] as const;
export type RecordKind = (typeof records)[number];

/** What is tortured. */
export interface Setup {
  readonly ground: GroundKind;
  /** Where a ground that is no database is recorded. */
  readonly record: RecordKind | null;
  /** Whether its servers are there for this run alone. */
  readonly isOurs: boolean;
}

/**
 * What may go wrong, how often while it is on (ms between two of a kind), and in words; `on` which stores, if not on all; `of` which
 * records.
 */
export const faults = {
  killWorker: { everyMs: 4_000, says: 'kill -9 of a worker' },
  killServer: { everyMs: 10_000, says: 'kill -9 of a server' },
  killClient: { everyMs: 12_000, says: 'kill -9 of a client' },
  freezeWorker: { everyMs: 9_000, says: 'a worker stopped beyond its lease (SIGSTOP, SIGCONT)' },
  freezeServer: { everyMs: 12_000, says: 'a server stopped (SIGSTOP, SIGCONT)' },
  freezeAnywhere: { everyMs: 10_000, says: 'a process stopped wherever it was, in a transaction too' },
  restartWorker: { everyMs: 9_000, says: 'SIGTERM of a worker, and its next start' },
  restartServer: { everyMs: 14_000, says: 'SIGTERM of a server, and its next start' },
  blockLoop: { everyMs: 5_000, says: 'a handler that blocks its event loop' },
  bombMemory: { everyMs: 9_000, says: 'a handler that takes memory until its process dies' },
  exitProcess: { everyMs: 8_000, says: 'a handler that ends its process' },
  lockStore: { everyMs: 10_000, on: ['sqlite', 'postgres'], says: 'somebody else holds the write lock of the store' },
  pauseQueue: { everyMs: 7_000, says: 'a queue paused and resumed' },
  changeLimit: { everyMs: 5_000, says: 'a limit changed while it is in use' },
  changeGroup: { everyMs: 5_000, says: 'a group of tasks paused and resumed, or given another weight' },
  cancelTasks: { everyMs: 400, says: 'tasks cancelled by a person' },
  retryTasks: { everyMs: 1_000, says: 'finished tasks retried by a person' },
  killStore: { everyMs: 14_000, on: ['postgres', 'redis'], says: 'the store killed, and started again' },
  outage: { everyMs: 16_000, on: ['postgres', 'redis'], says: 'the store out of reach for 1 s or 10 s' },
  silence: {
    everyMs: 14_000,
    on: ['postgres', 'redis'],
    says: 'connections half open: nothing arrives, nobody is told',
  },
  slowNetwork: { everyMs: 10_000, on: ['postgres', 'redis'], says: 'a slow way to the store' },
  resetConnections: { everyMs: 4_000, on: ['postgres', 'redis'], says: 'all connections to the store reset' },
  loseReply: {
    everyMs: 1_000,
    on: ['postgres', 'redis'],
    says: 'a call cut off: before it is executed, or its reply after it',
  },
  stallStore: { everyMs: 12_000, on: ['redis'], says: 'a store that is there and answers nobody' },
  freezeStore: { everyMs: 14_000, on: ['redis'], says: 'the store stopped (SIGSTOP, SIGCONT)' },
  forgetScripts: {
    everyMs: 1_000,
    on: ['redis'],
    says: 'functions and scripts forgotten by the store (FUNCTION FLUSH, SCRIPT FLUSH)',
  },
  fillMemory: { everyMs: 14_000, on: ['redis'], says: 'no memory left in the store for another task' },
  killConnections: { everyMs: 4_000, on: ['redis'], says: 'every connection ended by the store (CLIENT KILL)' },
  terminateBackends: { everyMs: 3_000, on: ['postgres'], says: 'every backend of the store terminated' },
  lockRecord: { everyMs: 10_000, of: ['sqlite', 'postgres'], says: 'somebody else holds the write lock of the record' },
  killRecord: { everyMs: 14_000, of: ['postgres'], says: 'the database of the record killed, and started again' },
  recordOutage: { everyMs: 14_000, of: ['postgres'], says: 'the record out of reach for 1 s or 10 s' },
  terminateRecord: { everyMs: 4_000, of: ['postgres'], says: 'every backend of the record terminated' },
} as const satisfies Record<string, FaultFacts>;

interface FaultFacts {
  readonly everyMs: number;
  readonly on?: readonly GroundKind[];
  readonly of?: readonly RecordKind[];
  readonly says: string;
}

export type FaultKind = keyof typeof faults;
export const faultKinds = Object.keys(faults) as readonly FaultKind[];

/** What is done to the server of a store, which must be our own for that. */
const serverFaults: readonly FaultKind[] = [
  'killStore',
  'stallStore',
  'freezeStore',
  'forgetScripts',
  'fillMemory',
  'killConnections',
  'terminateBackends',
];

/** The kinds that there are on such a store. */
export function kindsOn({ ground, record, isOurs }: Setup): readonly FaultKind[] {
  return faultKinds.filter((kind) => {
    const { on = grounds, of }: FaultFacts = faults[kind];
    if (of !== undefined && (record === null || !of.includes(record))) return false;
    return on.includes(ground) && (isOurs || !serverFaults.includes(kind));
  });
}

/** One fault at its time. What it hits depends on who is there then; `roll`, from 0 to 1, says which of them. */
export interface Strike {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly roll: number;
  /** How long it lasts, where it lasts. */
  readonly ms: number;
}

/** How the work comes in. */
export const shapes = ['steady', 'burst', 'sawtooth'] as const;
export type Shape = (typeof shapes)[number];

const syncs = ['always', 'everysec'] as const;

export interface ClientPlan {
  readonly shape: Shape;
  /** Tasks a second. */
  readonly rate: number;
  /** Over HTTP, or in the store itself. */
  readonly isRemote: boolean;
  readonly seed: number;
}

export interface Plan {
  readonly seed: number;
  readonly ground: GroundKind;
  readonly record: RecordKind | null;
  /** When a Redis has on its disk what it answered: before it answers, or once a second. */
  readonly sync: (typeof syncs)[number];
  readonly stormMs: number;
  readonly periodMs: number;
  /** The kinds that are on, by period; none in a calm one. */
  readonly periods: readonly (readonly FaultKind[])[];
  readonly strikes: readonly Strike[];
  readonly leaseMs: number;
  readonly workers: number;
  readonly slots: number;
  /** A single one is only that; two have a worker each in their process. */
  readonly servers: number;
  readonly clients: readonly ClientPlan[];
  /** How long what died stays away, at most. */
  readonly awayMs: number;
}

export interface PlanOptions extends Setup {
  readonly seed: number;
  readonly minutes: number;
  /** Tasks a second of all clients together. */
  readonly rate: number;
}

const periodMs = 20_000;
const calmShare = 1 / 4;
/** As long as whatever starts processes again may take; where all are away for longer nothing is tortured. */
const awayMostMs = 4_000;
/** Share of one client over HTTP: each of its tasks is a request of its own. */
const remoteShare = 0.08;

export function drawPlan({ seed, minutes, rate, ...setup }: PlanOptions): Plan {
  const { ground, record } = setup;
  const chance = seededChance(seed);
  const stormMs = Math.round(minutes * 60_000);
  // A run too short for three periods of the usual length has shorter ones.
  const length = Math.min(periodMs, Math.max(2_000, stormMs / 3));
  const leaseMs = drawLease(chance, stormMs);
  const kindsOfAll = kindsOn(setup);
  const periods = Array.from({ length: Math.ceil(stormMs / length) }, (_, index) =>
    index > 0 && chance.float() < calmShare ? [] : drawSubset(chance, kindsOfAll),
  );
  const strikes = periods.flatMap((kinds, index) => {
    const stretch = stretchOf(kinds);
    return kinds.flatMap((kind) => drawStrikes(chance, kind, { from: index * length, length, leaseMs, stretch }));
  });
  return {
    seed,
    ground,
    record,
    stormMs,
    periodMs: length,
    periods,
    strikes: strikes.filter(({ atMs }) => atMs < stormMs).sort((left, right) => left.atMs - right.atMs),
    leaseMs,
    workers: 3,
    slots: 20,
    servers: chance.float() < 0.5 ? 1 : 2,
    clients: [
      { shape: pick(chance, shapes), rate: rate * (1 - remoteShare), isRemote: false, seed: drawSeed(chance) },
      { shape: pick(chance, shapes), rate: rate * remoteShare, isRemote: true, seed: drawSeed(chance) },
    ],
    awayMs: Math.min(awayMostMs, length / 2),
    sync: pick(chance, syncs),
  };
}

/** Short leases raise the density of races; the default of 30 s is what most people run. */
function drawLease(chance: Chance, stormMs: number): number {
  const roll = chance.float();
  if (stormMs < 60_000 || roll < 0.3) return 2_000;
  return roll < 0.8 ? 5_000 : 30_000;
}

function drawSubset(chance: Chance, all: readonly FaultKind[]): readonly FaultKind[] {
  const share = between(chance, 0.15, 0.7);
  const kinds = all.filter(() => chance.float() < share);
  return kinds.length > 0 ? kinds : [pick(chance, all)];
}

interface Stretch {
  readonly from: number;
  readonly length: number;
  readonly leaseMs: number;
  /** How much further apart than usual come those that take the store away. */
  readonly stretch: number;
}

/** At least one, so that a kind that is on is seen. */
function drawStrikes(chance: Chance, kind: FaultKind, { from, length, leaseMs, stretch }: Stretch): readonly Strike[] {
  const usualMs = kind in turnMs ? stretch * faults[kind].everyMs : faults[kind].everyMs;
  const everyMs = Math.max(usualMs, awayMsOf(kind, leaseMs));
  const strikes: Strike[] = [];
  const draw = (atMs: number): Strike => ({ atMs, kind, roll: chance.float(), ms: drawLength(chance, kind, leaseMs) });
  for (let at = nextIn(chance, everyMs); at < length; at += nextIn(chance, everyMs)) strikes.push(draw(from + at));
  return strikes.length > 0 ? strikes : [draw(from + between(chance, 0, length * 0.8))];
}

/** A worker that came back after twice this is still one that came back; a longer absence proves nothing more. */
const leaseMostMs = 16_000;
/** Those that a blocked loop keeps waiting are many; twice, since it is planted for the first two claims. */
const blockMostMs = 10_000;
export const blocksEach = 2;

/**
 * How long one of a kind takes a worker away on average. They come no closer together than that: with all workers away all
 * the time nothing would be tortured.
 */
function awayMsOf(kind: FaultKind, leaseMs: number): number {
  if (kind === 'freezeWorker') return 1.65 * Math.min(leaseMs, leaseMostMs);
  return kind === 'blockLoop' ? blocksEach * 0.75 * Math.min(leaseMs, blockMostMs) : 0;
}

/**
 * What is done to the store or to the way there is done one after the other: how long each takes on average, ms. Together they take
 * so much of a period at most: else they would not be over for long after the storm, and the work would find no store in all of it.
 */
const turnMs: Partial<Record<FaultKind, number>> = {
  lockStore: 1_600,
  killStore: 1_500,
  outage: 3_250,
  silence: 4_250,
  slowNetwork: 4_250,
  loseReply: 200,
  stallStore: 2_100,
  freezeStore: 2_100,
  fillMemory: 2_100,
};
const turnShareMax = 0.5;

function stretchOf(kinds: readonly FaultKind[]): number {
  const share = kinds.reduce((sum, kind) => sum + (turnMs[kind] ?? 0) / faults[kind].everyMs, 0);
  return Math.max(1, share / turnShareMax);
}

function drawLength(chance: Chance, kind: FaultKind, leaseMs: number): number {
  switch (kind) {
    case 'freezeWorker':
      return between(chance, 1.1, 2.2) * Math.min(leaseMs, leaseMostMs);
    case 'freezeServer':
      return between(chance, 500, 12_000);
    case 'freezeAnywhere':
    case 'lockStore':
    case 'lockRecord':
      return between(chance, 200, 3_000);
    case 'blockLoop':
      return between(chance, 200, 1.5 * Math.min(leaseMs, blockMostMs));
    case 'changeGroup':
    case 'pauseQueue':
      return between(chance, 200, 5_000);
    case 'killStore':
    case 'killRecord':
      return between(chance, 0, 2_000);
    case 'outage':
    case 'recordOutage':
      return chance.float() < 0.75 ? 1_000 : 10_000;
    case 'silence':
    case 'slowNetwork':
      return between(chance, 500, 8_000);
    case 'stallStore':
    case 'freezeStore':
    case 'fillMemory':
      return between(chance, 200, 4_000);
    default:
      return 0;
  }
}

function drawSeed(chance: Chance): number {
  return Math.floor(chance.float() * 2 ** 31);
}
