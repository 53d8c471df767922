/** Recovers what nobody else will end: claims overdue tasks, decides as their worker would have, and settles. */

import type { Broker } from '../broker/broker.ts';
import { createToken } from '../core/chance.ts';
import { decide } from '../core/decide.ts';
import { limits } from '../core/limits.ts';
import { runsIsolated } from '../core/policy.ts';
import type { WorkerRecord } from '../core/presence.ts';
import { isWaiting } from '../core/states.ts';
import type { OverdueTask, Settlement, Task } from '../core/task.ts';
import type { ProcessPlace } from './host.ts';
import { createService, type Service, type ServiceOptions, type TickResult } from './service.ts';

export interface ReaperOptions extends Pick<ServiceOptions, 'clock' | 'chance' | 'report'> {
  readonly broker: Broker;
  /** Proves that a process of this machine has ended. */
  readonly isGone: (place: ProcessPlace) => boolean;
  /**
   * How long the store must have been healthy before the living count as dead: the lease of the workers, `limits.leaseMs`
   * when left out. It also decides how often the reaper looks. With 0 no lease outlives its time: for clocks moved by hand.
   */
  readonly recoveryMs?: number;
}

/** A step of the store's clock against ours that is larger starts the recovery again. */
const clockStepMs = 5_000;
/** Where leases are shorter than three periods, it looks three times in one: as often as the living renew. */
const looksPerLease = 3;
/** Two looks further apart than so many periods: this process stood still, or the store was locked, and with it perhaps every worker. */
const gapPeriodsMax = 2;
/** The store's clock and incarnation are looked at every so many ticks: two clocks drift apart by seconds only in days. */
const healthTicks = 12;

/**
 * Recovery: after an outage every lease may have run out although all workers live. So for one lease of health seen by
 * this process, running tasks are left alone, unless their worker's death is proved; living workers renew first.
 */
export function createReaper(options: ReaperOptions): Service {
  const { broker, clock, chance } = options;
  const recoveryMs = options.recoveryMs ?? limits.leaseMs;
  const periodMs = recoveryMs === 0 ? limits.reapMs : Math.min(limits.reapMs, Math.ceil(recoveryMs / looksPerLease));
  let healthySince: number | null = null;
  let incarnation: string | null = null;
  let storeAhead = 0;
  let lookedAt = -Infinity;
  let ticks = 0;
  let token = createToken(chance);

  return createService({
    name: 'reaper',
    periodMs,
    clock,
    chance,
    report: options.report,
    async tick(signal) {
      try {
        return await reap(signal);
      } catch (error) {
        healthySince = null;
        throw error;
      }
    },
  });

  async function reap(signal: AbortSignal): Promise<TickResult> {
    if (clock.elapsed() - lookedAt > gapPeriodsMax * periodMs) healthySince = null;
    lookedAt = clock.elapsed();
    if (healthySince === null || ticks++ % healthTicks === 0) await checkHealth();
    signal.throwIfAborted();
    const workers = await broker.getWorkers();
    const deadWorkers = workers.filter((worker) => options.isGone(worker)).map(({ workerId }) => workerId);
    signal.throwIfAborted();
    // The same token until an answer came: after a lost reply it finds the tasks of the call before.
    const overdue = await broker.claimOverdue({ token, limit: limits.tickMax, leaseMs: periodMs, deadWorkers });
    // Nobody may wait for this tick any more; the next judge finds what was claimed here.
    signal.throwIfAborted();
    // A clock that stepped forward makes every lease look over: it has to be noticed before anything is settled.
    if (overdue.length > 0) await checkHealth();
    signal.throwIfAborted();
    // It waited for somebody's lock, and so did every renewal meanwhile.
    if (clock.elapsed() - lookedAt > Math.min(gapPeriodsMax * periodMs, recoveryMs / looksPerLease))
      healthySince = null;
    healthySince ??= clock.elapsed();
    const recovering = clock.elapsed() - healthySince < recoveryMs;
    const dead = new Set(deadWorkers);
    const judged = recovering ? overdue.filter((one) => isAbandoned(one, dead)) : overdue;
    if (judged.length > 0) await broker.settle(judged.map((one) => verdictOn(one, workers)));
    token = createToken(chance);
    // The end of a task for its parent's sake may be the end of its children: a chain must not take a period for each link.
    const mayFollow = judged.some(({ reason }) => reason === 'dependency_failed');
    return mayFollow || overdue.length >= limits.tickMax ? 'full' : 'done';
  }

  async function checkHealth(): Promise<void> {
    const info = await broker.info();
    const ahead = info.now - clock.elapsed();
    const stepped = Math.abs(ahead - storeAhead) > clockStepMs;
    if (incarnation !== null && (stepped || info.incarnation !== incarnation)) healthySince = null;
    incarnation = info.incarnation;
    storeAhead = ahead;
  }

  function verdictOn(overdue: OverdueTask, workers: readonly WorkerRecord[]): Settlement {
    const { task, lease, reason, failedParents } = overdue;
    const wasIsolated = ranIsolated(task, workers);
    return {
      lease,
      verdict: decide(task, { overdue: reason, failedParents, wasIsolated }, chance),
      // A number says that it has begun; the store knows since when.
      ranMs: task.startedAt === null ? null : 0,
      progress: null,
      logs: [],
      spawn: [],
    };
  }
}

/** Whether no living worker can still have a say in this task. */
function isAbandoned({ task }: OverdueTask, deadWorkers: ReadonlySet<string>): boolean {
  return isWaiting(task.state) || (task.workerId !== null && deadWorkers.has(task.workerId));
}

/** Whether the task had a process of its own, as far as its worker is still known: one that knows its file gives it one. */
function ranIsolated(task: Task, workers: readonly WorkerRecord[]): boolean {
  if (!runsIsolated(task)) return false;
  const worker = workers.find(({ workerId }) => workerId === task.workerId);
  return worker?.definitions.some(({ name, file }) => name === task.name && file !== null) ?? false;
}
