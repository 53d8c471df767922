/** enqueue: stores new tasks, each once, one at a time under its key. */

import { isLinked } from '../../core/dependencies.ts';
import { checkLimitRules } from '../../core/limit-rules.ts';
import type { ClaimedTask, NewTask } from '../../core/task.ts';
import type { ClaimRequest, EnqueueResult } from '../broker.ts';
import { emptiedBy, type HandOver } from '../hand-over.ts';
import { arrive, dueAtOf, insert, type Known, play, readKnown, repetition, store } from './arrivals.ts';
import { claim, claimAnew } from './claim.ts';
import { enqueueLinked } from './link.ts';
import { refuseGroup, refuseLargeBatch, refuseLargePayloads } from './refuse.ts';
import { release } from './release.ts';
import { leave, type StandingClaims } from './standing.ts';
import { type Change, type Step, workOf } from './step.ts';

export async function enqueue(step: Step, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> {
  refuseLargeBatch(tasks);
  refuseLargePayloads(tasks);
  tasks.forEach(refuseGroup);
  for (const task of tasks) if (task.limits.length > 0) checkLimitRules(task.limits);
  if (tasks.some(isLinked)) return await enqueueLinked(step, tasks, 'refuse');
  const isPlain = tasks.every(({ key, group }) => key === null && group === null);
  return isPlain ? await enqueuePlain(step, tasks) : await enqueueKeyed(step, tasks);
}

/** Stores the tasks, and gives a worker of this process that waits for them what it claims in the same step. */
export async function enqueueAndHandOver(
  change: Change,
  { handOver, standing }: { readonly handOver: HandOver | null; readonly standing: StandingClaims | undefined },
  tasks: readonly NewTask[],
): Promise<readonly EnqueueResult[]> {
  if (handOver === null) return await change((step) => enqueue(step, tasks));
  let claimed: readonly ClaimedTask[] = [];
  try {
    const results = await change(async (step) => {
      const stored = await enqueue(step, tasks);
      const request = handOver.claim(workOf(step));
      claimed = request === null ? [] : await claimFor(step, request, standing);
      return stored;
    });
    handOver.done(claimed);
    return results;
  } catch (error) {
    handOver.failed();
    throw error;
  }
}

/** Claims what was stored. Only where claims stand the token may be known: then what it was given says nothing of these tasks. */
async function claimFor(
  step: Step,
  request: ClaimRequest,
  standing: StandingClaims | undefined,
): Promise<readonly ClaimedTask[]> {
  leave(step.tx, standing, request);
  const claimed = standing === undefined ? await claimAnew(step, request) : await claim(step, request);
  const isRepeated = !step.changes.some(({ kind }) => kind === 'claim');
  if (claimed.length === 0 || !isRepeated) for (const queue of emptiedBy(request, claimed)) step.emptied.add(queue);
  return claimed;
}

/** Stores what settlements spawned. An unknown parent is one that failed: a settlement is not refused for it. */
export async function spawn(step: Step, tasks: readonly NewTask[]): Promise<void> {
  refuseLargeBatch(tasks);
  refuseLargePayloads(tasks);
  tasks.forEach(refuseGroup);
  for (const task of tasks) if (task.limits.length > 0) checkLimitRules(task.limits);
  await enqueueLinked(step, tasks, 'fail');
}

/** Without keys and groups the insert itself finds the repetitions, which are rare. */
async function enqueuePlain(step: Step, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> {
  const arrivals = tasks.map((task) => arrive(step, task, dueAtOf(step, task), null));
  const stored = await insert(step, arrivals);
  const missed = tasks.filter((_task, index) => stored[index] !== true);
  const known = missed.length === 0 ? new Map<string, Known>() : await readKnown(step, missed);
  return arrivals.map((arrival, index) => {
    if (stored[index] === true) return { outcome: 'created', taskId: arrival.task.id, state: arrival.state };
    return repetition(known.get(arrival.task.id), arrival.task);
  });
}

async function enqueueKeyed(step: Step, tasks: readonly NewTask[]): Promise<readonly EnqueueResult[]> {
  const { results, arrivals, waiting } = await play(step, tasks);
  await store(step, [...arrivals.values()], waiting);
  await release(step);
  return results;
}
