/** Drives the real worker and the real services over a clock that stands still, until nothing is left to do now. */

import type { Broker } from '../broker/broker.ts';
import { type Chance, createToken } from '../core/chance.ts';
import type { TaskDefinition } from '../core/definition.ts';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import type { NewTask } from '../core/task.ts';
import { systemClock } from '../core/time.ts';
import { createPromoter } from '../engine/promoter.ts';
import { createPruner } from '../engine/pruner.ts';
import { createReaper } from '../engine/reaper.ts';
import { createScheduler } from '../engine/scheduler.ts';
import type { Service } from '../engine/service.ts';
import type { Store } from '../history/history.ts';
import { createWorker, type Worker } from '../worker/worker.ts';
import { type ManualClock, turn } from './manual-clock.ts';

export interface DriverOptions {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly chance: Chance;
  readonly definitions: readonly TaskDefinition[];
  /** Told of every task that a schedule has fired, or a run has brought along. */
  readonly onNewTask: (task: NewTask) => void;
}

export interface Driver {
  /** Runs what is runnable now, and what that makes runnable. Rejects with DRAIN_UNFINISHED after `max` runs. */
  drain(max: number): Promise<void>;
  /** Lets the services look once: what is due is promoted, what is overdue is judged, what is past its time is pruned, schedules are fired. */
  tick(): Promise<void>;
  /** A worker takes everything runnable, reports that it began, and dies; its leases run out. Answers how many tasks it had. */
  crash(): Promise<number>;
  /** Whether a drain is in flight and its handlers all wait for something. */
  isWaiting(): boolean;
  /** Ends the worker of a drain that never ended. */
  close(): Promise<void>;
}

/** Turns of the event loop without a change before handlers count as waiting, … */
const waitingTurns = 20;
/** … before they are taken to wait for the outside world, and how long the next look is off then. */
const busyTurns = 200;
const outsideMs = 1;
/** Turns without any run after which a worker is replaced: it may have missed a signal. */
const idleTurns = 50;

export function createDriver({ store, clock, chance, definitions, onNewTask }: DriverOptions): Driver {
  const { broker } = store;
  const scheduled = withFirings(broker, onNewTask);
  const running = { ...store, broker: withSpawned(broker, onNewTask) };
  // A test has its stubs and its spies in this process, and so it runs its tasks here.
  const definitionsHere = definitions.map((definition) => ({ ...definition, isolate: 'none' as const }));
  let worker: Worker | null = null;
  let draining = false;
  let waiting = false;
  let closed = false;

  async function tick(): Promise<void> {
    const failures: unknown[] = [];
    const loop = {
      clock,
      chance,
      report: (report: { readonly kind: string; readonly error?: unknown }) =>
        void (report.kind === 'failed' && failures.push(report.error)),
    };
    // Nothing but this kit uses the store, so no lease needs the benefit of the doubt after an outage.
    const reaper = createReaper({ broker, isGone: () => false, recoveryMs: 0, ...loop });
    // The end of a task for its parent's sake may be the end of its children: as often as that is so.
    for (let before = Infinity, now = await countBlocked(); now > 0 && now < before; now = await countBlocked()) {
      before = now;
      await tickOnce(reaper);
    }
    for (const service of [reaper, createPromoter(broker, loop), createPruner(broker, loop)]) await tickOnce(service);
    while ((await broker.schedules.due(1)).schedules.length > 0 && failures.length === 0)
      await tickOnce(createScheduler(scheduled, loop));
    if (failures.length > 0) throw failures[0];
  }

  async function countBlocked(): Promise<number> {
    return (await broker.getQueues()).reduce((sum, { counts }) => sum + (counts.blocked ?? 0), 0);
  }

  async function drain(max: number): Promise<void> {
    draining = true;
    try {
      await runAll(max);
    } finally {
      draining = false;
    }
  }

  async function runAll(max: number): Promise<void> {
    let runs = 0;
    for (let idle = 0; idle < 2 && !closed; ) {
      await tick();
      const queues = await runnableQueues();
      if (queues.length === 0) return;
      const before = runs;
      worker = createWorker({
        store: running,
        definitions: definitionsHere,
        queues,
        clock,
        chance,
        services: 'never',
        name: 'test kit',
      });
      worker.on('started', () => {
        runs += 1;
      });
      worker.start();
      await untilIdle(worker, () => runs, max);
      waiting = false;
      await worker.stop(closed ? { drainMs: 0 } : {});
      worker = null;
      if (runs > max) throw taskFlowError('DRAIN_UNFINISHED', { max });
      // What nobody can run, such as a task past its start, must not keep the walk going for ever.
      idle = runs === before ? idle + 1 : 0;
    }
  }

  async function untilIdle(current: Worker, runs: () => number, max: number): Promise<void> {
    let seen = -1;
    for (let turns = 0; runs() <= max && !closed; turns += 1) {
      await turn();
      if (runs() !== seen) {
        seen = runs();
        turns = 0;
      }
      waiting = current.running > 0 && turns > waitingTurns;
      if (current.running > 0) {
        if (turns > busyTurns) await new Promise<void>((resolve) => systemClock.schedule(outsideMs, resolve));
      } else if (turns > idleTurns || !(await hasWork())) return;
    }
  }

  /** Whether a task runs, is being settled, or could be claimed. */
  async function hasWork(): Promise<boolean> {
    const queues = await broker.getQueues();
    return queues.some(
      ({ counts, pause }) => (counts.running ?? 0) > 0 || (pause === null && (counts.queued ?? 0) > 0),
    );
  }

  /** The queues to serve; none when nothing is runnable. */
  async function runnableQueues(): Promise<readonly string[]> {
    const queues = await broker.getQueues();
    const runnable = queues
      .filter(({ counts, pause }) => pause === null && (counts.queued ?? 0) > 0)
      .map((queue) => queue.name);
    if (runnable.length === 0) return [];
    return [...new Set([...runnable, ...definitions.map((definition) => definition.queue)])].slice(
      0,
      limits.queuesPerWorkerMax,
    );
  }

  async function crash(): Promise<number> {
    await tick();
    const queues = (await runnableQueues()).map((name) => ({ name, limit: limits.batchMax }));
    if (queues.length === 0) return 0;
    const workerId = createToken(chance);
    const claimed = await broker.claim({
      workerId,
      token: createToken(chance),
      queues,
      limit: limits.batchMax,
      leaseMs: limits.leaseMs,
    });
    await broker.heartbeat({
      worker: {
        workerId,
        name: 'crashed',
        host: 'nowhere',
        pid: 0,
        bootId: null,
        version: '0',
        queues: {},
        concurrency: 0,
        running: claimed.length,
        state: 'ready',
        services: false,
        server: false,
        taskNames: [],
        definitions: null,
      },
      leaseMs: limits.leaseMs,
      beats: claimed.map(({ lease }) => ({ lease, ranMs: 0, progress: null, logs: [], checkpoints: [] })),
    });
    await clock.moveTo(clock.now() + limits.leaseMs + 1);
    await tick();
    return claimed.length;
  }

  async function close(): Promise<void> {
    closed = true;
    // The worker gives its handlers a while to end, by a clock that nobody else moves any more.
    while (draining) if (worker === null || !(await clock.moveToNextTimer())) await turn();
  }

  return { drain, tick, crash, isWaiting: () => waiting, close };
}

/** The same broker, which tells of the tasks that settlements have brought along. */
function withSpawned(broker: Broker, onSpawned: (task: NewTask) => void): Broker {
  return {
    ...broker,
    async settle(settlements, claimNext) {
      const answer = await broker.settle(settlements, claimNext);
      for (const [index, { spawn }] of settlements.entries())
        if (answer.results[index]?.outcome === 'applied') spawn.forEach(onSpawned);
      return answer;
    },
  };
}

/** The broker, telling of the tasks that its schedules fire. */
function withFirings(broker: Broker, onFired: (task: NewTask) => void): Broker {
  return {
    ...broker,
    schedules: {
      ...broker.schedules,
      async fire(firings) {
        const results = await broker.schedules.fire(firings);
        for (const [index, firing] of firings.entries()) {
          const result = results[index];
          if (firing.kind !== 'skip' && result?.outcome === 'fired' && result.created) onFired(firing.task);
        }
        return results;
      },
    },
  };
}

/** One tick of a service: it runs when the service starts. */
async function tickOnce(service: Service): Promise<void> {
  service.start();
  await turn();
  await service.stop();
}
