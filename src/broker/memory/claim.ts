/** claim: queued → running under the caller's token: group after group, in order of priority and age; and peek, which leaves it at the order. */

import { limits } from '../../core/limits.ts';
import type { ClaimedTask, Task } from '../../core/task.ts';
import type { ClaimRequest, Peek, QueueDemand } from '../broker.ts';
import { parentResults } from './edges.ts';
import { freeKey } from './keys.ts';
import { createGate, takeTokens } from './limits.ts';
import { inClaimOrder, type Row } from './state.ts';
import { changeTask, type Step } from './step.ts';
import { forgetRound, isPaused, nextGroup, serve, standingOf } from './turns.ts';
import { undone } from './undo.ts';

export function claim(step: Step, request: ClaimRequest): readonly ClaimedTask[] {
  const repeated = [...step.state.rows.values()].filter((row) => row.token === request.token).sort(inClaimOrder);
  const rows = repeated.length > 0 ? repeated : take(step, request);
  const parentsOf = parentResults(
    step,
    rows.map(({ task }) => task),
  );
  return rows.map((row) => claimedTask(step, row, request.token, parentsOf(row.task)));
}

/** peek: two claims, the second as if all were open, of which nothing is left. */
export function peek(step: Step, queue: string, limit: number): Peek {
  const most = Math.min(limit, limits.peekMax);
  return undone(step, () => {
    const next = idsOf(take(step, peekRequest(queue, most)));
    const held = idsOf(take(step, peekRequest(queue, most - next.length), asIfOpen));
    const scheduled = [...step.state.rows.values()]
      .filter(({ task }) => task.state === 'scheduled')
      .sort(({ task: left }, { task: right }) => left.dueAt - right.dueAt || (left.id < right.id ? -1 : 1))
      .slice(0, limits.peekScheduledMax)
      .filter(({ task }) => task.queue === queue);
    return { next, held, scheduled: idsOf(scheduled).slice(0, Math.max(0, most - next.length - held.length)) };
  });
}

function peekRequest(queue: string, limit: number): ClaimRequest {
  return { workerId: 'nobody', token: 'none', queues: [{ name: queue, limit }], limit, leaseMs: 0 };
}

function idsOf(rows: readonly Row[]): readonly string[] {
  return rows.map(({ task }) => task.id);
}

/** What may be claimed of a queue, and which of it is let through. */
interface Choosing {
  candidates(step: Step, demand: QueueDemand): readonly Row[];
  gate(step: Step): (task: Task) => boolean;
}

const asClaimed: Choosing = { candidates: claimable, gate: createGate };
/** As if nothing were paused and no limit full. */
const asIfOpen: Choosing = { candidates: queuedInTime, gate: () => () => true };

/** Goes through all that is claimable, in claim order: each that is taken leaves less for the next. */
function take(step: Step, request: ClaimRequest, choosing = asClaimed): readonly Row[] {
  const limit = Math.min(request.limit, limits.batchMax);
  const left = new Map(request.queues.map((demand) => [demand.name, demand.limit]));
  const waiting = new Map(request.queues.map((demand) => [demand.name, groupsOf(choosing.candidates(step, demand))]));
  const hasRoom = choosing.gate(step);
  const taken: Row[] = [];
  while (taken.length < limit) {
    const row = takeFirst(step, waiting, left);
    if (row === null) break;
    if (!hasRoom(row.task)) continue;
    left.set(row.task.queue, (left.get(row.task.queue) ?? 0) - 1);
    takeTokens(step, row.task);
    serve(step, row.task);
    lease(step, row, request);
    taken.push(row);
  }
  if (limit > 0) for (const { name, limit: ofQueue } of request.queues) if (ofQueue > 0) forgetRound(step, name);
  return taken;
}

/** The claimable tasks of one queue by group, each in claim order. */
type Waiting = Map<string | null, Row[]>;

function groupsOf(rows: readonly Row[]): Waiting {
  return Map.groupBy([...rows].sort(inClaimOrder), ({ task }) => task.group);
}

/** Takes the first of all: in each queue the first task of the group whose turn it is, and of these the first in claim order. */
function takeFirst(step: Step, waiting: ReadonlyMap<string, Waiting>, left: ReadonlyMap<string, number>): Row | null {
  const firsts = [...waiting].flatMap(([queue, groups]) => {
    if ((left.get(queue) ?? 0) <= 0) return [];
    const standing = [...groups].filter(([, rows]) => rows.length > 0).map(([group]) => standingOf(step, queue, group));
    const next = nextGroup(standing);
    return next === undefined ? [] : (groups.get(next.group)?.slice(0, 1) ?? []);
  });
  const [first] = firsts.sort(inClaimOrder);
  if (first !== undefined) waiting.get(first.task.queue)?.get(first.task.group)?.shift();
  return first ?? null;
}

function claimable(step: Step, demand: QueueDemand): readonly Row[] {
  if (step.state.queues.get(demand.name)?.pause) return [];
  return queuedInTime(step, demand).filter(({ task }) => !isPaused(step, task.group));
}

function queuedInTime(step: Step, { name }: QueueDemand): readonly Row[] {
  return [...step.state.rows.values()].filter(
    ({ task }) => task.queue === name && task.state === 'queued' && isInTime(step, task),
  );
}

function isInTime(step: Step, task: Task): boolean {
  return (task.startBy === null || task.startBy > step.now) && (task.expiresAt === null || task.expiresAt > step.now);
}

function lease(step: Step, row: Row, request: ClaimRequest): void {
  const { task } = row;
  row.token = request.token;
  changeTask(step, 'claim', row, {
    state: 'running',
    reason: null,
    epoch: task.epoch + 1,
    attempt: task.attempt + 1,
    workerId: request.workerId,
    leaseUntil: step.now + request.leaseMs,
    claimedAt: step.now,
    startedAt: null,
    progress: null,
  });
  if (task.ifExists === 'replace' || task.ifExists === 'debounce') freeKey(step, task);
}

function claimedTask(step: Step, row: Row, token: string, parents: ClaimedTask['parents']): ClaimedTask {
  const { task } = row;
  // A repeated claim may come when the life is over already.
  const lifeMs = task.expiresAt === null ? null : Math.max(0, task.expiresAt - step.now);
  const boundByLife = lifeMs !== null && (task.timeoutMs === null || lifeMs < task.timeoutMs);
  return {
    task,
    lease: { taskId: task.id, token, epoch: task.epoch },
    runMs: boundByLife ? lifeMs : task.timeoutMs,
    boundByLife,
    parents,
  };
}
