/** Who may speak for a task: a second, smaller account of leases and judges, kept from the answers alone. */

import type {
  ClaimRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  OverdueRequest,
  RetryResult,
  SettleResult,
} from '../../src/broker/broker.ts';
import type { Tell } from '../../src/checker/verdict.ts';
import type { BatchEvent } from '../../src/core/events.ts';
import { limits } from '../../src/core/limits.ts';
import type { Reason } from '../../src/core/states.ts';
import type { ClaimedTask, Lease, NewTask, OverdueTask, Settlement } from '../../src/core/task.ts';

export interface LeaseBook {
  claim(now: number, request: ClaimRequest, claimed: readonly ClaimedTask[]): void;
  heartbeat(request: HeartbeatRequest, answer: HeartbeatAnswer): void;
  judge(request: OverdueRequest, overdue: readonly OverdueTask[]): void;
  /** Looks at every settlement and its result; `fresh` are the events of the call. */
  settle(
    now: number,
    settlements: readonly Settlement[],
    results: readonly SettleResult[],
    fresh: readonly BatchEvent[],
  ): void;
  cancel(now: number, fresh: readonly BatchEvent[]): void;
  retry(taskIds: readonly string[], results: readonly RetryResult[]): void;
  /** Forgets the leases that these events ended. To be called after everything else of the same call. */
  end(fresh: readonly BatchEvent[]): void;
}

interface Held {
  readonly token: string;
  readonly epoch: number;
  readonly workerId: string;
  readonly claimedAt: number;
  until: number;
  cancelRequestedAt: number | null;
}

/** What runs longer than a clock that counts five hundredths too fast may say. */
const driftShare = 0.06;

const isHeld = (held: Held, { token, epoch }: Lease): boolean => held.token === token && held.epoch === epoch;

/** `isDead`: whether the process with this number has ended. */
export function createLeaseBook(
  asked: ReadonlyMap<string, NewTask>,
  isDead: (pid: number) => boolean,
  tell: Tell,
): LeaseBook {
  const leases = new Map<string, Held>();
  const judges = new Map<
    string,
    { readonly token: string; readonly epoch: number; readonly deadWorkers: readonly string[] }
  >();
  const settled = new Map<string, string>();
  const pids = new Map<string, number>();

  function claim(now: number, request: ClaimRequest, claimed: readonly ClaimedTask[]): void {
    const { token, workerId, leaseMs } = request;
    const before = [...leases].filter(([, held]) => held.token === token).map(([taskId]) => taskId);
    const ids = claimed.map(({ task }) => task.id);
    if (before.length > 0) {
      if (before.sort().join() !== [...ids].sort().join())
        tell('S3', ids[0] ?? null, `a repeated claim answered ${ids}, and ${before} run under its token`);
      return;
    }
    for (const { task, lease } of claimed) {
      const held = leases.get(task.id);
      if (held !== undefined) tell('S3', task.id, `claimed under ${token} while ${held.token} holds it`);
      leases.set(task.id, {
        token,
        epoch: lease.epoch,
        workerId,
        claimedAt: now,
        until: now + leaseMs,
        cancelRequestedAt: null,
      });
    }
  }

  function heartbeat(request: HeartbeatRequest, answer: HeartbeatAnswer): void {
    const { beats, leaseMs, worker } = request;
    const { beats: answers, now } = answer;
    pids.set(worker.workerId, worker.pid);
    for (const [index, { lease }] of beats.entries()) {
      const held = leases.get(lease.taskId);
      const right =
        held === undefined || !isHeld(held, lease) ? 'lost' : held.cancelRequestedAt === null ? 'ok' : 'cancel';
      if (answers[index] !== right)
        tell('S4', lease.taskId, `a heartbeat was answered ${answers[index]}, not ${right}`);
      if (held === undefined || right === 'lost') continue;
      held.until = now + leaseMs;
      judges.delete(lease.taskId);
    }
  }

  function judge({ token, deadWorkers }: OverdueRequest, overdue: readonly OverdueTask[]): void {
    for (const workerId of deadWorkers)
      if (!isDead(pids.get(workerId) ?? 0)) tell('S4', null, `${workerId} was taken for dead and is not`);
    for (const { task, lease } of overdue) judges.set(task.id, { token, epoch: lease.epoch, deadWorkers });
  }

  function settle(
    now: number,
    settlements: readonly Settlement[],
    results: readonly SettleResult[],
    fresh: readonly BatchEvent[],
  ): void {
    for (const [index, { lease }] of settlements.entries()) {
      const { taskId, token, epoch } = lease;
      const outcome = results[index]?.outcome;
      const held = leases.get(taskId);
      const isHolder = held !== undefined && isHeld(held, lease);
      const judge = judges.get(taskId);
      const isJudge = judge?.token === token && judge.epoch === epoch;
      if (outcome === 'applied' || outcome === 'diverted') {
        if (!isHolder && !isJudge)
          tell('S4', taskId, `a settlement under ${token} was accepted, ${held?.token} holds it`);
        if (!isHolder && held !== undefined) checkVerdict(now, taskId, held, reasonOf(fresh, taskId));
        judges.delete(taskId);
        leases.delete(taskId);
        settled.set(taskId, token);
      } else if (isHolder) tell('S4', taskId, `the settlement of its holder was answered ${outcome}`);
      else if (outcome === 'stale' && settled.get(taskId) === token)
        tell('S5', taskId, 'a repeated settlement was not known any more');
    }
  }

  /** A verdict over the head of a living worker must have waited for it. */
  function checkVerdict(now: number, taskId: string, held: Held, reason: Reason | null): void {
    const dead = judges.get(taskId)?.deadWorkers ?? [];
    if (held.until <= now || dead.includes(held.workerId)) return;
    const task = asked.get(taskId);
    const graceMs = limits.graceMs * (1 - driftShare);
    const mayAt = Math.min(
      (held.cancelRequestedAt ?? Infinity) + graceMs,
      held.claimedAt + (task?.timeoutMs ?? Infinity) * (1 - driftShare) + graceMs,
      reason === 'expired' ? held.claimedAt + graceMs : Infinity,
    );
    if (now < mayAt)
      tell(
        'S4',
        taskId,
        `judged as ${reason} at ${now}, ${held.until - now} ms before the lease of ${held.workerId} ends`,
      );
  }

  function end(fresh: readonly BatchEvent[]): void {
    for (const { kind, items } of fresh) {
      // A claim of the same call has its leases from its answer already.
      if (kind === 'claim') continue;
      for (const { taskId, to } of items) if (to === null) forget(taskId);
    }
  }

  function forget(taskId: string): void {
    leases.delete(taskId);
    judges.delete(taskId);
    settled.delete(taskId);
  }

  return {
    claim,
    heartbeat,
    judge,
    settle,
    cancel(now, fresh) {
      for (const { kind, items } of fresh) {
        if (kind !== 'cancelRequest') continue;
        for (const { taskId } of items) {
          const held = leases.get(taskId);
          if (held !== undefined) held.cancelRequestedAt = now;
        }
      }
    },
    retry(taskIds, results) {
      for (const [index, taskId] of taskIds.entries()) {
        const outcome = results[index]?.outcome;
        // A new generation begins, whether it may run or waits for its parents again: nobody who spoke for the former one,
        // its judge neither, is known to the store any more.
        if (outcome === 'queued' || outcome === 'blocked') forget(taskId);
      }
    },
    end,
  };
}

function reasonOf(fresh: readonly BatchEvent[], taskId: string): Reason | null {
  const judged = fresh.filter(({ kind }) => kind === 'judge').flatMap(({ items }) => items);
  return judged.find((item) => item.taskId === taskId)?.reason ?? null;
}
