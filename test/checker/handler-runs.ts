/** What handlers wrote down of their runs, against the claims they ran under. */

import { limits } from '../../src/core/limits.ts';
import type { Effect, Insight, RunHistory } from './run-history.ts';
import { checkSteps } from './steps.ts';
import type { TaskStory, Tell } from './task-story.ts';

/** One run of a handler, as it wrote it down itself. */
interface HandlerRun {
  readonly begin: Effect;
  /** When it was told to end. */
  abort: Effect | null;
  end: Effect | null;
}

type Stories = ReadonlyMap<string, TaskStory>;

/** Tells runs that nobody asked for or claimed, that came twice under one claim, or that ran beside one another. */
export function checkRuns(history: RunHistory, stories: Stories, tell: Tell): void {
  const byTask = Map.groupBy(history.effects, (effect) => effect.taskId);
  const client = Map.groupBy(history.client, (entry) => entry.taskId);
  for (const [taskId, effects] of byTask) {
    const asked = client.get(taskId)?.[0];
    if (asked === undefined) tell('S2', taskId, 'it ran and nobody asked for it');
    for (const { n } of effects)
      if (asked !== undefined && n !== asked.n)
        tell('S2', taskId, `it ran with ${n} and was asked for with ${asked.n}`);
    const story = stories.get(taskId);
    if (story?.reborn === true) continue;
    const runs = handlerRuns(taskId, effects, tell);
    for (const epoch of runs.keys())
      if (epoch > (story?.runs.length ?? 0)) tell('S6', taskId, `it ran in epoch ${epoch} without a claim`);
    checkSteps(taskId, effects, tell);
    checkOverlaps(taskId, [...runs.values()], story, history.insight, tell);
    if (history.insight !== undefined && story !== undefined) checkErrors(story, runs, tell);
  }
  for (const task of history.tasks) {
    const hasEnded = byTask.get(task.id)?.some(({ what, epoch }) => what === 'end' && epoch === task.epoch) === true;
    if (task.state === 'succeeded' && !hasEnded) tell('S2', task.id, 'it succeeded and its handler did not end');
  }
}

/** The runs of a task by epoch; an epoch is one claim, so its handler runs once at most. */
function handlerRuns(taskId: string, effects: readonly Effect[], tell: Tell): ReadonlyMap<number, HandlerRun> {
  const runs = new Map<number, HandlerRun>();
  for (const effect of effects) {
    const run = runs.get(effect.epoch);
    if (effect.what === 'begin') {
      if (run !== undefined)
        tell('S3', taskId, `it ran twice in epoch ${effect.epoch}, in ${run.begin.pid} and ${effect.pid}`);
      else runs.set(effect.epoch, { begin: effect, abort: null, end: null });
    } else if (run !== undefined && (effect.what === 'abort' || effect.what === 'end')) run[effect.what] ??= effect;
  }
  return runs;
}

/**
 * Two runs at a time are right only when the lease of the earlier one was taken away, or when it was told to end and
 * went on for longer than the grace. Who lost a lease must have been told so before the next run began, if it could act.
 */
function checkOverlaps(
  taskId: string,
  runs: readonly HandlerRun[],
  story: TaskStory | undefined,
  insight: Insight | undefined,
  tell: Tell,
): void {
  const inOrder = [...runs].sort((left, right) => left.begin.epoch - right.begin.epoch);
  for (const [index, earlier] of inOrder.entries()) {
    const next = inOrder[index + 1];
    // A run without an end was killed with its process, unless somebody saw that it was not.
    if (next === undefined || (earlier.end === null && insight === undefined)) continue;
    const { at } = next.begin;
    if (earlier.end !== null && earlier.end.at <= at) continue;
    const { epoch, pid } = earlier.begin;
    const end = story?.runs[epoch - 1];
    const toldAt = earlier.abort?.at ?? Infinity;
    const both = `epoch ${epoch} and ${next.begin.epoch} ran at the same time`;
    if (insight?.couldAct(pid, at) === false) continue;
    if (end?.kind !== 'judge' && toldAt + limits.graceMs * 0.9 > at)
      tell('S4', taskId, `${both}, and no lease was lost`);
    const isLost = end?.reason === 'lease_lost' || end?.reason === 'crash_loop';
    if (insight !== undefined && isLost && toldAt > at) tell('S4', taskId, `${both}, and the earlier was not told`);
  }
}

/** An attempt that was charged for an error was one whose handler threw. */
function checkErrors(story: TaskStory, runs: ReadonlyMap<number, HandlerRun>, tell: Tell): void {
  for (const [index, end] of story.runs.entries()) {
    if (end?.kind !== 'settle' || end.reason !== 'error') continue;
    if (runs.get(index + 1)?.end?.how !== 'threw')
      tell('S8', story.taskId, `epoch ${index + 1} was charged for an error that its handler did not throw`);
  }
}
