/** The end of a parent: its edges close, and whose last parent it was may run, in the same step. */

import { type EdgeState, edgeState } from '../../core/dependencies.ts';
import type { Reason } from '../../core/states.ts';
import { eachStatement, statement } from './driver.ts';
import { readChildren, setEdges } from './edges.ts';
import { endWaiting } from './end-waiting.ts';
import { readWishes } from './flows.ts';
import { decodeOptions, idList, waitingCheckAt } from './rows.ts';
import { noteDue, record, type Step } from './step.ts';
import { joinRounds } from './turns.ts';

/** 1 or 0. Of an EXISTS Postgres may make a list of all that are. */
const anyEdge = (state: EdgeState): string =>
  `COALESCE((SELECT 1 FROM edges WHERE child_id = tasks.id AND edges.state = '${state}' LIMIT 1), 0)`;

/** In words by which no index is looked through: there is one of all that are blocked. */
const isBlocked = "state IS NOT DISTINCT FROM 'blocked'";

/** Input: list of ids. Locks: the rows, by id. */
const lockBlocked = statement(
  'lock_blocked',
  (dialect) => `SELECT id FROM tasks WHERE id ${dialect.oneOf('$1')} AND ${isBlocked}${dialect.lockInOrderOf('id')}`,
);

/**
 * Input: list of ids. A statement of its own after the edges were written and the rows locked: only then does it see what
 * others, who held the lock before, have written.
 */
const blockedTasks = statement<
  [
    id: string,
    queue: string,
    name: string,
    reason: Reason | null,
    attempt: number,
    version: number,
    dueAt: number,
    startBy: number | null,
    expiresAt: number | null,
    keepMs: number,
    key: string | null,
    options: string | null,
    open: number,
    failed: number,
  ]
>(
  'blocked_tasks',
  (dialect) => `SELECT id, queue, name, reason, attempt, version, due_at, start_by, expires_at, keep_ms, key, options,
      ${anyEdge('open')}, ${anyEdge('failed')}
    FROM tasks WHERE id ${dialect.oneOf('$1')} AND ${isBlocked} ORDER BY id`,
);

/** Inputs: state, due time, start deadline, next check, task. */
const unblockTasks = eachStatement(
  'unblock_tasks',
  { state: 'text', dueAt: 'bigint', startBy: 'bigint', checkAt: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET state = ${value.state}, reason = NULL, version = version + 1, due_at = ${value.dueAt}, start_by = ${value.startBy},
     check_at = ${value.checkAt} ${from} WHERE id ${dialect.keyed(value.id)}`,
);

/** Inputs: time, task. */
const checkTasks = eachStatement(
  'check_tasks',
  { checkAt: 'bigint', id: 'text' },
  (value, from, dialect) =>
    `UPDATE tasks SET check_at = ${value.checkAt} ${from} WHERE id ${dialect.keyed(value.id)} AND (check_at IS NULL OR check_at > ${value.checkAt})`,
);

type BlockedRow = Awaited<ReturnType<typeof readBlocked>>[number];

/** Until nothing follows from it any more: a task of a cancelled flow ends when it is let go, and so its children are next. */
export async function release(step: Step): Promise<void> {
  while (step.ended.size > 0 || step.blocked.size > 0) {
    await closeEdges(step);
    const rows = await readBlocked(step);
    step.blocked.clear();
    const failed = rows.filter((row) => row.failed);
    if (failed.length > 0) {
      step.overdue = true;
      await step.tx.each(
        checkTasks,
        failed.map(({ id }) => [step.now, id]),
      );
    }
    await unblock(
      step,
      rows.filter((row) => !row.failed && !row.open),
    );
  }
}

async function closeEdges(step: Step): Promise<void> {
  const ended = new Map(step.ended);
  step.ended.clear();
  const edges = await readChildren(step, [...ended.keys()]);
  const open = edges.filter(({ state }) => state === 'open');
  await setEdges(
    step,
    open.map(({ parentId, childId, onFailure }) => {
      return { parentId, childId, state: edgeState(ended.get(parentId) ?? null, onFailure) };
    }),
  );
  for (const { childId } of open) step.blocked.add(childId);
}

async function readBlocked(step: Step) {
  if (step.blocked.size === 0) return [];
  const ids = idList([...step.blocked]);
  void step.tx.lock(lockBlocked, ids);
  const rows = await step.tx.query(blockedTasks, ids);
  return rows.map(
    ([id, queue, name, reason, attempt, version, dueAt, startBy, expiresAt, keepMs, key, options, open, failed]) => {
      const { flowId, group } = decodeOptions(options);
      const times = { dueAt, startBy, expiresAt, keepMs };
      return {
        id,
        queue,
        name,
        reason,
        attempt,
        version,
        ...times,
        key,
        flowId,
        group,
        open: open === 1,
        failed: failed === 1,
      };
    },
  );
}

async function unblock(step: Step, rows: readonly BlockedRow[]): Promise<void> {
  if (rows.length === 0) return;
  const wishes = await readWishes(step, rows);
  const unwanted = rows.filter(({ flowId }) => wishes.has(flowId ?? ''));
  await moveOn(
    step,
    rows.filter(({ flowId }) => !wishes.has(flowId ?? '')),
  );
  await endWaiting(
    step,
    'unblock',
    unwanted.map((row) => ({ ...row, state: 'blocked', cancelReason: wishes.get(row.flowId ?? '')?.reason ?? null })),
  );
}

/** What becomes due now was due before: it has waited for its parents, not for a worker. */
async function moveOn(step: Step, rows: readonly BlockedRow[]): Promise<void> {
  if (rows.length === 0) return;
  const isDue = ({ dueAt }: BlockedRow): boolean => dueAt <= step.now;
  await joinRounds(step, rows.filter(isDue));
  await step.tx.each(
    unblockTasks,
    rows.map((row) => {
      const dueAt = Math.max(row.dueAt, step.now);
      const startBy = row.startBy === null ? null : row.startBy + dueAt - row.dueAt;
      const after = { state: isDue(row) ? 'queued' : 'scheduled', reason: null, attempt: row.attempt } as const;
      if (after.state === 'scheduled') noteDue(step, dueAt);
      record(step, 'unblock', row, { ...after, state: 'blocked', reason: row.reason }, after, row.version + 1);
      return [after.state, dueAt, startBy, waitingCheckAt(startBy, row.expiresAt), row.id];
    }),
  );
}
