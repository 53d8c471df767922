/**
 * A torture: real servers, workers and clients on a store of their own, with everything going wrong that a seed can draw.
 * Then it heals, every task must come to its end, and a judge who has followed all of it says whether a promise was broken.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJudge, type Judge } from '../checker/judge.ts';
import type { Verdict } from '../checker/verdict.ts';
import { seededChance } from '../core/chance.ts';
import { explain } from '../core/explain.ts';
import { limits } from '../core/limits.ts';
import { systemClock as clock, sleep } from '../core/time.ts';
import { freePort } from '../servers/free-port.ts';
import { type Crew, createCrew, type Exit } from './crew.ts';
import { between } from './draw.ts';
import { createFollower, type Follower } from './follower.ts';
import type { Ground } from './ground.ts';
import { createLaunch } from './launch.ts';
import { createNemesis, type Nemesis } from './nemesis.ts';
import { type GroundChoice, openGround } from './open-ground.ts';
import { createPace, endedOf } from './pace.ts';
import { drawPlan, type FaultKind, faults, type Plan, type PlanOptions } from './plan.ts';
import { createPlanter } from './planter.ts';
import { leaveCode } from './tasks/work.ts';
import { createTicks, type Ticks } from './ticks.ts';

export type Phase = 'storm' | 'drain' | 'check';

/** How far a run is, told about once a second. */
export interface Progress {
  readonly phase: Phase;
  readonly ms: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly open: number;
  readonly fired: Readonly<Partial<Record<FaultKind, number>>>;
  /** The faults that are on now. */
  readonly on: readonly FaultKind[];
  readonly broken: number;
}

export interface TortureOptions extends Pick<PlanOptions, 'seed' | 'minutes' | 'rate'> {
  readonly ground: GroundChoice;
  readonly onProgress: (progress: Progress) => void;
  /** Ends the storm early. */
  readonly signal: AbortSignal;
  /** Keeps the folder of a run that was good, too. */
  readonly keep: boolean;
}

export interface Report {
  readonly plan: Plan;
  readonly verdict: Verdict;
  /** Where everything that is left of it lies; `null` when it was removed. */
  readonly folder: string | null;
  readonly fired: Readonly<Partial<Record<FaultKind, number>>>;
  readonly codes: Readonly<Record<string, number>>;
  /** Faults that could not be done, and why. */
  readonly missed: readonly string[];
  /** How processes ended, such as `worker SIGKILL`. */
  readonly exits: Readonly<Record<string, number>>;
  readonly stormMs: number;
  readonly drainMs: number;
  readonly totalMs: number;
  /** Rows that were counted again, all recounts together; rows that were compared with their events at the end. */
  readonly recounted: number;
  readonly rows: number;
  /** Times of the schedule that were fired. */
  readonly ticks: number;
  /** Tasks that ended a second, by period of the storm. */
  readonly pace: readonly number[];
  readonly durability: string;
}

const lookMs = 200;
const recountMs = 20_000;
const recordWithinMs = 10_000;
/** Clients rest while more tasks than these are not final: the longest that the rate could need to catch up. */
const openSeconds = 8;

/** Runs it from its first process to its verdict; no process is left, whatever happens. */
export async function torture(options: TortureOptions): Promise<Report> {
  const { ground, ...rest } = options;
  const { kind, url, record } = ground;
  const plan = drawPlan({ ...rest, ground: kind, record, isOurs: url === null });
  const folder = mkdtempSync(join(tmpdir(), 'taskflow-torture-'));
  for (const name of ['notes', 'logs']) mkdirSync(join(folder, name));
  const run = await prepare(plan, await openGround(plan, url, folder), folder);
  try {
    const report = await run.play(options);
    const isGood = report.verdict.result === 'valid' && !options.keep;
    await run.end();
    writeFileSync(join(folder, 'report.json'), JSON.stringify(report, null, 2));
    if (isGood) rmSync(folder, { recursive: true, force: true });
    return { ...report, folder: isGood ? null : folder };
  } finally {
    await run.end();
  }
}

interface Run {
  play(options: TortureOptions): Promise<Omit<Report, 'folder'>>;
  end(): Promise<void>;
}

async function prepare(plan: Plan, ground: Ground, folder: string): Promise<Run> {
  const { store } = ground;
  const judge = createJudge({ toldWithinMs: 5_000, ...ground.events });
  const ticks = createTicks(judge, clock);
  const follower = createFollower({ folder, history: store.history, judge, ticks });
  const chance = seededChance(plan.seed + 1);
  const exits: Record<string, number> = {};
  const port = await freePort();
  const launch = createLaunch({ plan, folder, address: ground.address, port });
  const crew = createCrew({
    folder,
    clock,
    launch: (seat, number) => {
      follower.follow(seat.kind === 'client' ? 'client' : 'handlers', number);
      return launch(seat, number);
    },
    onFate: follower.fate,
    onExit: (exit) => noteExit(exit, { exits, judge, plan }),
    awayMs: () => between(chance, 0, plan.awayMs),
  });
  const planter = createPlanter({ folder, store, follower });
  const nemesis = createNemesis({ plan, clock, crew, follower, ground, plant: planter.plant });
  let ended: Promise<void> | null = null;
  return {
    play: (options) => play({ plan, ground, judge, ticks, follower, crew, nemesis, exits }, options),
    end() {
      ended ??= crew.end().then(ground.close);
      return ended;
    },
  };
}

interface ExitBook {
  readonly exits: Record<string, number>;
  readonly judge: Judge;
  readonly plan: Plan;
}

/** What a command says when it cannot reach its store. */
const unreachableCode = 6;

/** Processes end when they are killed, when they are asked to, and when a handler ends them: by a signal or with a code of its own. */
function noteExit(exit: Exit, { exits, judge, plan }: ExitBook): void {
  const { seat, code, signal, wasAsked, wasStopping } = exit;
  const how = `${seat.kind} ${signal ?? `exit ${code}`}`;
  exits[how] = (exits[how] ?? 0) + 1;
  const log = `see logs/${exit.number}-${seat.name}.log`;
  // Who finds no store when it starts says so and goes, whatever it is told meanwhile.
  const foundNoStore = code === unreachableCode && plan.ground !== 'sqlite';
  if (wasStopping && signal === null && code !== 0 && !foundNoStore)
    judge.tell('stop', null, `${seat.name} stopped with ${code}, ${log}`);
  if (!wasAsked && signal === null && code !== leaveCode && !foundNoStore)
    judge.tell('stop', null, `${seat.name} ended by itself with ${code}, ${log}`);
}

interface Scene {
  readonly plan: Plan;
  readonly ground: Ground;
  readonly judge: Judge;
  readonly ticks: Ticks;
  readonly follower: Follower;
  readonly crew: Crew;
  readonly nemesis: Nemesis;
  readonly exits: Readonly<Record<string, number>>;
}

async function play(scene: Scene, { onProgress, signal }: TortureOptions): Promise<Omit<Report, 'folder'>> {
  const { plan, ground, judge, ticks, crew, nemesis, follower } = scene;
  const { store } = ground;
  const startedAt = clock.elapsed();
  let phase: Phase = 'storm';
  const pace = createPace(plan.periodMs);
  const watch = createWatch(scene, () => {
    if (phase === 'storm') pace.look(clock.elapsed() - startedAt, endedOf(judge.counts));
    onProgress({
      phase,
      ms: clock.elapsed() - startedAt,
      counts: judge.counts,
      open: judge.open,
      fired: nemesis.fired,
      on: phase === 'storm' ? (plan.periods[Math.floor((clock.elapsed() - startedAt) / plan.periodMs)] ?? []) : [],
      broken: judge.broken,
    });
  });
  const [firstServer = 'server', ...moreServers] = Array.from({ length: plan.servers }, (_, at) => `server-${at + 1}`);
  crew.add('server', firstServer);
  for (const name of moreServers) crew.add('server', name);
  for (let index = 1; index <= plan.workers; index++) crew.add('worker', `worker-${index}`);
  for (const [index] of plan.clients.entries()) crew.add('client', `client-${index + 1}`);
  // A setting whose event is another's would be judged wrongly: the schedule's comes first.
  await ticks.begin(store.broker);
  await nemesis.run(signal);
  const stormMs = clock.elapsed() - startedAt;

  phase = 'drain';
  crew.thawAll();
  crew.hurry();
  await nemesis.heal();
  const late = [...(await crew.stop('client', patienceOf('client')))];
  await ticks.end(store.broker);
  const drainMs = await drain(scene);
  await explainRest(scene);
  for (const kind of ['worker', 'server'] as const) late.push(...(await crew.stop(kind, patienceOf(kind))));
  for (const name of late) judge.tell('stop', null, `${name} did not stop in time and was killed`);

  phase = 'check';
  await watch.end();
  await ground.recordRest();
  while ((await follower.look()) > 0);
  ticks.check();
  const rows = await ground.showRows(judge);
  const recounted = watch.recounted + (await ground.checkIndexes(judge));
  await ground.checkWhole(judge);
  const fired = firedOf(scene);
  const verdict = judge.finish({ heldKeys: await ground.heldKeys(), doubts: doubtsOf(scene, fired, stormMs) });
  return {
    plan,
    verdict,
    fired,
    codes: follower.codes,
    missed: nemesis.missed,
    exits: scene.exits,
    stormMs,
    drainMs,
    totalMs: clock.elapsed() - startedAt,
    recounted,
    rows,
    ticks: ticks.fired,
    pace: pace.perSecond,
    durability: ground.durability,
  };
}

/** How long an orderly end may take: the drain of a worker, its aborts and its last settlements; the patience of a client. */
function patienceOf(kind: 'client' | 'worker' | 'server'): number {
  return kind === 'client' ? 30_000 : 25_000;
}

/** Looks at the run for as long as it lasts, holds the clients back when they are too fast, and counts again now and then. */
function createWatch({ follower, judge, crew, ground, plan }: Scene, tick: () => void) {
  const rate = plan.clients.reduce((sum, client) => sum + client.rate, 0);
  const openMax = Math.max(500, openSeconds * rate);
  let isOver = false;
  let recounted = 0;
  let isHeld = false;

  function hold(): void {
    const wanted = judge.open > (isHeld ? openMax / 2 : openMax);
    // Also told to a client that has just come.
    for (const { kind, member } of crew.seats)
      if (kind === 'client' && member?.isAlive === true) member.child.stdin?.write(wanted ? 'hold\n' : 'go\n');
    isHeld = wanted;
  }

  async function loop(): Promise<void> {
    let [tickAt, recountAt] = [0, clock.elapsed() + recountMs];
    while (!isOver) {
      // A look that the store refuses, locked by somebody, is made up for by the next.
      const seen = await follower.look().catch(() => 0);
      if (clock.elapsed() >= tickAt) {
        tickAt = clock.elapsed() + 1_000;
        hold();
        tick();
      }
      if (clock.elapsed() >= recountAt) {
        recounted += await ground.checkIndexes(judge).catch(() => 0);
        recountAt = clock.elapsed() + recountMs;
      }
      if (seen === 0) await sleep(clock, lookMs);
    }
  }

  const looping = loop();
  return {
    get recounted() {
      return recounted;
    },
    end(): Promise<void> {
      isOver = true;
      return looping;
    },
  };
}

/** Waits until everything is final, for as long as that may take. Answers how long it took. */
async function drain({ judge, follower, ground, plan }: Scene): Promise<number> {
  const startedAt = clock.elapsed();
  const rate = plan.clients.reduce((sum, client) => sum + client.rate, 0);
  const backlogMs = (1_000 * judge.open) / Math.max(25, rate / 4);
  // The longest back-off is 2 s, the longest run 30 s and its grace; then what is due has to be noticed and run.
  const withinMs = 60_000 + 2 * plan.leaseMs + 30_000 + limits.graceMs + backlogMs;
  // What was stored last has to be seen before its end can be.
  await sleep(clock, 3 * lookMs);
  while (clock.elapsed() - startedAt < withinMs) {
    await sleep(clock, lookMs);
    // Asked first: what is recorded between the two would not have been looked at.
    if (judge.open === 0 && (await ground.isRecorded().catch(() => false)) && (await follower.look()) === 0) break;
  }
  return clock.elapsed() - startedAt;
}

/** Says of what should be final by now why it is not. */
async function explainRest({ judge, ground }: Scene): Promise<void> {
  const { store } = ground;
  // Something small always goes on: a prune, a beat of the schedule.
  for (let waitedMs = 0; !(await ground.isRecorded()); waitedMs += lookMs) {
    if (waitedMs >= recordWithinMs) {
      judge.tell('L4', null, `the record is ${await store.history.lagMs()} ms behind after the drain`);
      break;
    }
    await sleep(clock, lookMs);
  }
  const ids = judge.openIds(20);
  if (ids.length === 0) return;
  for (const facts of await store.broker.inspect(ids)) {
    if (facts === null) continue;
    judge.tell('L4', facts.task.id, `it is ${facts.task.state} after the drain: ${explain(facts).summary}`);
  }
}

function firedOf({ nemesis, follower }: Scene): Report['fired'] {
  const { block, bomb, exit } = follower.done;
  return { ...nemesis.fired, blockLoop: block, bombMemory: bomb, exitProcess: exit };
}

function doubtsOf({ plan, judge }: Scene, fired: Report['fired'], stormMs: number): readonly string[] {
  const due = new Set(plan.strikes.filter(({ atMs }) => atMs < stormMs - 2_000).map(({ kind }) => kind));
  const missing = [...due].filter((kind) => (fired[kind] ?? 0) === 0);
  const { claims = 0 } = judge.counts;
  const least = Math.min(100, stormMs / 100);
  return [
    ...missing.map((kind) => `it never happened: ${faults[kind].says}`),
    ...(claims < least ? [`only ${claims} tasks were claimed`] : []),
  ];
}
