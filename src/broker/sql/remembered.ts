/**
 * What this process wrote when it claimed a task, remembered until the task is settled: a plain success then needs no look
 * at its row. The statement that writes the success checks that nobody has changed the row since, so a memory that is
 * wrong costs a second try and nothing else.
 */

import { limits } from '../../core/limits.ts';
import type { Settlement, Task } from '../../core/task.ts';
import type { RowAddress } from './driver.ts';
import { carriesChildren } from './rows.ts';
import type { SettledRow } from './settled-rows.ts';
import type { Step } from './step.ts';

/** Claims remembered at once: more than the slots of the largest worker and what it prefetches. Beyond, all are forgotten. */
const rememberedMax = 20_000;

/** Thrown within a step, which then forgets all and is done once more. */
export const outdated = new Error('What was remembered of a claim is out of date');

/** Remembers a task that was just claimed, unless others wait for it: whether they do is in its row alone. */
export function remember(
  { remembered }: Pick<Step, 'remembered'>,
  task: Task,
  token: string,
  options: string | null,
  address: RowAddress,
): void {
  if (carriesChildren(options)) return;
  if (remembered.size >= rememberedMax) remembered.clear();
  const { id, queue, name, attempt, version, epoch, dueAt, claimedAt, startBy, expiresAt, workerId, keepMs } = task;
  remembered.set(id, {
    id,
    queue,
    name,
    state: 'running',
    reason: null,
    attempt,
    version,
    epoch,
    token,
    settledToken: null,
    judgeToken: null,
    dueAt,
    claimedAt,
    startedAt: null,
    startBy,
    expiresAt,
    cancelRequestedAt: task.cancelRequestedAt,
    workerId,
    keepMs,
    key: task.key,
    options,
    address,
    isRemembered: true,
  });
}

/**
 * The task of a plain success as it was claimed, and forgets it; else `null`. A run that is older than news wait has
 * been told of by a heartbeat, which changes its row.
 */
export function recall({ remembered, now }: Step, settlement: Settlement): SettledRow | null {
  const row = remembered.get(settlement.lease.taskId);
  if (row === undefined) return null;
  remembered.delete(row.id);
  return isFresh(row, settlement, now) && isPlainSuccess(settlement) ? row : null;
}

/** Whether the task is, as far as this process can know, as its claim under this lease has left it. */
export function isFresh(row: SettledRow, { lease }: Settlement, now: number): boolean {
  return (
    row.token === lease.token &&
    row.epoch === lease.epoch &&
    row.cancelRequestedAt === null &&
    now - (row.claimedAt ?? 0) < limits.newsMs
  );
}

/** Whether a settlement says no more than that the run succeeded, and with which result. */
export function isPlainSuccess({ ranMs, progress, verdict }: Settlement): boolean {
  return (
    verdict.to === 'succeeded' &&
    ranMs !== null &&
    progress === null &&
    verdict.reason === null &&
    verdict.error === null &&
    verdict.charge === 'attempt'
  );
}
