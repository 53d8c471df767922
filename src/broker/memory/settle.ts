/** settle: ends leases as the verdicts say, each at most once, then claims the next tasks. */

import { isFinished, isWaiting } from '../../core/states.ts';
import { type Charge, leavesAttempt, type NewTask, type Settlement, type Task, type Verdict } from '../../core/task.ts';
import type { ClaimRequest, SettleAnswer, SettleResult } from '../broker.ts';
import { claim } from './claim.ts';
import { letGo } from './edges.ts';
import { checkSpawned, spawn } from './enqueue.ts';
import { endKey } from './keys.ts';
import { leaveSlots } from './limits.ts';
import { refuseLargeBatch } from './refuse.ts';
import { release } from './release.ts';
import type { Row } from './state.ts';
import { changeTask, type Step } from './step.ts';
import { atomically } from './undo.ts';

export function settle(step: Step, settlements: readonly Settlement[], claimNext?: ClaimRequest): SettleAnswer {
  refuseLargeBatch(settlements);
  const spawns = settlements.flatMap((settlement) => settlement.spawn);
  if (spawns.length === 0) return settleAll(step, settlements, claimNext);
  checkSpawned(spawns);
  return atomically(step, () => settleAll(step, settlements, claimNext));
}

function settleAll(step: Step, settlements: readonly Settlement[], claimNext?: ClaimRequest): SettleAnswer {
  const spawned: NewTask[] = [];
  const results = settlements.map((settlement) => {
    const result = settleOne(step, settlement);
    if (result.outcome === 'applied') spawned.push(...settlement.spawn);
    return result;
  });
  spawn(step, spawned);
  release(step);
  return { results, claimed: claimNext === undefined ? [] : claim(step, claimNext) };
}

function settleOne(step: Step, settlement: Settlement): SettleResult {
  const { taskId, token, epoch } = settlement.lease;
  const row = step.state.rows.get(taskId);
  if (row === undefined) return { outcome: 'unknown' };
  const isLease = row.token === token && row.task.epoch === epoch;
  const isJudge = row.judgeToken === token && row.task.epoch === epoch && !isFinished(row.task.state);
  if (!isLease && !isJudge) return { outcome: row.settledToken === token ? 'alreadyApplied' : 'stale' };
  const diverted = isDiverted(row.task, settlement.verdict);
  const verdict = diverted ? divert(row.task, settlement.verdict) : settlement.verdict;
  apply(step, row, { ...settlement, verdict }, isLease ? 'settle' : 'judge');
  return diverted ? { outcome: 'diverted', to: 'cancelled' } : { outcome: 'applied' };
}

function isDiverted(task: Task, verdict: Verdict): boolean {
  if (task.cancelRequestedAt === null || verdict.to === 'cancelled') return false;
  return verdict.to !== 'succeeded' || task.strictCancel;
}

function divert(task: Task, verdict: Verdict): Verdict {
  const keepMs = 'keepMs' in verdict ? verdict.keepMs : task.keepMs;
  return { to: 'cancelled', reason: 'user', charge: verdict.charge, keepMs, result: null, error: verdict.error };
}

function apply(step: Step, row: Row, settlement: Settlement, kind: 'settle' | 'judge'): void {
  const { task } = row;
  const { verdict, ranMs } = settlement;
  const ran = task.state === 'running';
  const startedAt = ranMs === null ? null : (task.startedAt ?? step.now - ranMs);
  if (ran) leaveSlots(step, task);
  changeTask(step, kind, row, {
    ...(ran ? { ...charged(task, verdict.charge), startedAt } : {}),
    ...placed(step, task, verdict),
    state: verdict.to,
    reason: verdict.reason,
    error: verdict.error,
    leaseUntil: null,
    startBy: ranMs === null ? task.startBy : null,
    progress: settlement.progress ?? task.progress,
  });
  row.logs.push(...settlement.logs.map((line) => ({ ...line, epoch: task.epoch })));
  if (ran && leavesAttempt(verdict, ranMs)) {
    row.attempts.push({
      epoch: task.epoch,
      attempt: task.attempt,
      workerId: task.workerId,
      claimedAt: task.claimedAt ?? step.now,
      startedAt,
      endedAt: step.now,
      to: verdict.to,
      reason: verdict.reason,
      error: verdict.error,
    });
  }
  Object.assign(row, { token: null, judgeToken: null, judgeUntil: null, settledToken: settlement.lease.token });
  if (isFinished(verdict.to)) endKey(step, row);
  if (task.state === 'blocked' && isWaiting(verdict.to) && verdict.to !== 'blocked') letGo(step.state, task.id);
}

/** What the new place asks for: an end with its retention, or a wait with its time. */
function placed(step: Step, task: Task, verdict: Verdict): Partial<Task> {
  if ('keepMs' in verdict) return { result: verdict.result, finishedAt: step.now, pruneAt: step.now + verdict.keepMs };
  const dueAt = verdict.to === 'scheduled' ? step.now + verdict.delayMs : task.dueAt;
  return { dueAt, result: null, workerId: null, claimedAt: null };
}

/** Every charge but `attempt` gives the attempt back and counts itself. */
function charged(task: Task, charge: Charge): Partial<Task> {
  if (charge === 'attempt') return {};
  return {
    attempt: task.attempt - 1,
    crashes: task.crashes + (charge === 'crash' ? 1 : 0),
    interruptions: task.interruptions + (charge === 'interruption' ? 1 : 0),
    snoozes: task.snoozes + (charge === 'snooze' ? 1 : 0),
  };
}
