/** Tasks that wait for others, or belong to a flow: parents are stored first, and whom a task blocks gains it as a parent. */

import { inOrder } from '../../core/dependencies.ts';
import type { NewTask } from '../../core/task.ts';
import type { EnqueueResult } from '../broker.ts';
import { play, store } from './arrivals.ts';
import { markParents, storeEdges } from './edges.ts';
import { endWaiting } from './end-waiting.ts';
import { readWishes, storeMembers } from './flows.ts';
import { gainParents } from './gains.ts';
import { release } from './release.ts';
import type { Step } from './step.ts';
import { type Tied, tie } from './tie.ts';

/** All or nothing. What an unknown parent means is for the caller to say. */
export async function enqueueLinked(
  step: Step,
  call: readonly NewTask[],
  unknown: 'refuse' | 'fail',
): Promise<readonly EnqueueResult[]> {
  const { tasks, positions } = inOrder(call);
  await step.tx.hold('flows', [...new Set(tasks.flatMap(({ flowId }) => flowId ?? []))], 'shared');
  const wishes = await readWishes(step, tasks);
  const played = await play(step, tasks, ({ flowId }) => wishes.has(flowId ?? ''));
  const tied = await tie(step, { tasks, positions, played, wishes, unknown });
  for (const { task, state } of tied.arrivals) {
    const holder = played.waiting.get(task.id);
    if (holder !== undefined) played.waiting.set(task.id, { ...holder, state });
  }
  await store(step, tied.arrivals, played.waiting);
  await storeEdges(step, tied.edges);
  await storeMembers(
    step,
    tied.arrivals.map(({ task }) => task),
  );
  await markParents(step, tied.parents);
  await endWaiting(
    step,
    'cancel',
    tied.unwanted.map(({ task, state }) => {
      const cancelReason = wishes.get(task.flowId ?? '')?.reason ?? null;
      return { ...task, state, reason: null, attempt: 0, version: 1, cancelReason };
    }),
  );
  await gainParents(step, tied.gains);
  await release(step);
  return inCallOrder(played.results, positions, tied);
}

/** As the call asked, each with the state it was stored in. */
function inCallOrder(
  results: readonly EnqueueResult[],
  positions: readonly number[],
  { arrivals, unwanted }: Tied,
): readonly EnqueueResult[] {
  const states = new Map(arrivals.map(({ task, state }) => [task.id, state] as const));
  for (const { task } of unwanted) states.set(task.id, 'cancelled');
  const ordered: EnqueueResult[] = [];
  for (const [index, result] of results.entries()) {
    const state = 'state' in result && result.state !== 'cancelled' ? states.get(result.taskId) : undefined;
    ordered[positions[index] ?? 0] = state === undefined ? result : ({ ...result, state } as EnqueueResult);
  }
  return ordered;
}
