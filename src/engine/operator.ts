/** Runs bulk operations: the small worker of a server for the queue that is TaskFlow's own. */

import type { BeatAnswer } from '../broker/broker.ts';
import { type BulkState, bulkCheckpoint, internalQueue, readBulkOrder, readBulkState } from '../core/bulk.ts';
import { createToken } from '../core/chance.ts';
import { decide } from '../core/decide.ts';
import { toTaskError } from '../core/error-facts.ts';
import { TaskFlowError } from '../core/errors.ts';
import { parseFilter } from '../core/filter-parse.ts';
import { limits } from '../core/limits.ts';
import type { Presence } from '../core/presence.ts';
import type { ClaimedTask, Outcome } from '../core/task.ts';
import type { Store } from '../history/history.ts';
import { type BulkRun, doBulkPage } from './bulk-page.ts';
import { createService, type Service, type ServiceOptions, type TickResult } from './service.ts';

export interface OperatorOptions extends Pick<ServiceOptions, 'clock' | 'chance' | 'report'> {
  readonly store: Pick<Store, 'broker' | 'history'>;
  /** Whose leases they are: those of a server, which beats on its own as well. */
  readonly presence: () => Presence;
}

/** The operation in hand. */
interface Held extends BulkRun {
  readonly claimed: ClaimedTask;
  readonly startedAt: number;
  state: BulkState;
  /** Whether all pages are done, and only the end is left to be said. */
  isOver: boolean;
  /** Whether the record has all that was there when it was asked for. */
  isRecorded: boolean;
  /** When it may go on, by the monotonic clock: its rate says so. */
  nextAt: number;
  beatAt: number;
}

/**
 * One operation at a time, a page at a tick; after each page the store knows how far it is, so that another server goes on where
 * one has died. It gives back what it holds when it is stopped.
 */
export function createOperator({ store, presence, clock, chance, report }: OperatorOptions): Service {
  const { broker, history } = store;
  let held: Held | null = null;
  let token = createToken(chance);

  async function take(): Promise<Held | null> {
    const queues = [{ name: internalQueue, limit: 1 }];
    const request = { workerId: presence().workerId, token, queues, limit: 1, leaseMs: limits.leaseMs };
    const [claimed] = await broker.claim(request);
    // The same token until an answer came: after a lost reply it finds the task of the call before.
    token = createToken(chance);
    if (claimed === undefined) return null;
    const { task } = claimed;
    const order = readBulkOrder(task.payload);
    const now = clock.elapsed();
    return {
      claimed,
      order,
      filter: parseFilter(order.filter),
      askedAt: task.createdAt,
      startedAt: now,
      state: readBulkState(task),
      isOver: false,
      isRecorded: false,
      nextAt: now,
      beatAt: -Infinity,
    };
  }

  async function beat(run: Held): Promise<BeatAnswer> {
    const { state, order, claimed, startedAt } = run;
    const total = order.isExact ? order.matched : null;
    const progress = { done: state.done + state.refused, total, note: null };
    const ranMs = Math.round(clock.elapsed() - startedAt);
    const answer = await broker.heartbeat({
      worker: presence(),
      leaseMs: limits.leaseMs,
      beats: [{ lease: claimed.lease, ranMs, progress, logs: [], checkpoints: [bulkCheckpoint(state)] }],
    });
    run.beatAt = clock.elapsed();
    return answer.beats[0] ?? 'lost';
  }

  async function end({ claimed, startedAt, state, order }: Held, outcome: Outcome): Promise<void> {
    const ranMs = Math.round(clock.elapsed() - startedAt);
    const total = order.isExact ? order.matched : null;
    const progress = { done: state.done + state.refused, total, note: null };
    const verdict = decide(claimed.task, { outcome, ranMs }, chance);
    await broker.settle([{ lease: claimed.lease, verdict, ranMs, progress, logs: [], spawn: [] }]);
  }

  /** Whether the record has what the filter is about. */
  async function isRecorded(run: Held): Promise<boolean> {
    if (run.isRecorded || run.order.taskIds !== undefined) return true;
    const [lagMs, { now }] = await Promise.all([history.lagMs(), broker.info()]);
    run.isRecorded = now - lagMs >= run.askedAt;
    return run.isRecorded;
  }

  async function goOn(run: Held): Promise<'goes on' | 'ended'> {
    if (!run.isOver && !(await isRecorded(run))) {
      run.nextAt = clock.elapsed() + limits.pollMs;
      return 'goes on';
    }
    if (!run.isOver) await doPage(run);
    if (!run.isOver) return 'goes on';
    await end(run, { kind: 'done', result: JSON.stringify(run.state) });
    return 'ended';
  }

  async function doPage(run: Held): Promise<void> {
    const { rate } = run.order;
    const aSecond = rate === null ? limits.bulkPageMax : Math.floor((rate.count * 1_000) / rate.perMs);
    const size = Math.max(1, Math.min(limits.bulkPageMax, aSecond));
    const before = run.state.done + run.state.refused;
    run.state = await doBulkPage(store, run, run.state, size);
    const done = run.state.done + run.state.refused - before;
    run.nextAt = clock.elapsed() + (rate === null ? 0 : (done * rate.perMs) / rate.count);
    run.isOver = run.state.after === null;
  }

  async function advance(run: Held): Promise<'goes on' | 'ended'> {
    // Twice around a page: nobody does what another server has taken over, and nothing is done again that is known.
    const answer = await beat(run);
    if (answer === 'lost') return 'ended';
    if (answer === 'cancel') {
      await end(run, { kind: 'aborted' });
      return 'ended';
    }
    if (clock.elapsed() < run.nextAt) return 'goes on';
    try {
      return await goOn(run);
    } catch (error) {
      // What a store that is away throws is tried again; what would come again the next time ends it.
      if (!(error instanceof TaskFlowError) || error.retryable || error.code.startsWith('STORE_')) throw error;
      await end(run, { kind: 'giveUp', error: toTaskError(run.claimed.task.name, error) });
      return 'ended';
    }
  }

  async function tick(): Promise<TickResult> {
    held ??= await take();
    if (held === null) return 'done';
    if ((await advance(held)) === 'ended') {
      held = null;
      return 'full';
    }
    return held.nextAt <= clock.elapsed() ? 'full' : 'done';
  }

  const untilNextMs = (): number => (held === null ? Infinity : Math.max(0, held.nextAt - clock.elapsed()));
  const service = createService({
    name: 'operator',
    // While it holds one it looks each second, as every poll behind a signal, whether somebody has stopped it.
    periodMs: () => (held === null ? limits.operatorMs : limits.pollMs),
    dueMs: untilNextMs,
    clock,
    chance,
    report,
    tick,
  });
  return {
    ...service,
    async stop() {
      await service.stop();
      const run = held;
      held = null;
      // Who cannot say so leaves it to the end of the lease.
      if (run !== null) await end(run, { kind: 'released' }).catch(() => undefined);
    },
  };
}
