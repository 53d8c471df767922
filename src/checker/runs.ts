/** What handlers wrote down of their runs, against the claims they ran under. */

import { limits } from '../core/limits.ts';
import type { ProcessBook } from './processes.ts';
import type { Run, Says, TaskStory } from './story.ts';

export interface RunRules {
  readonly processes: ProcessBook;
  /**
   * How long a handler that could act may go on after its lease was lost before it is told. On a virtual clock nothing; real
   * processes share their processors.
   */
  readonly toldWithinMs: number;
}

/** Judges all runs of a task, once everything is known of them. */
export function checkRuns(story: TaskStory, rules: RunRules, says: Says): void {
  const { runs, claims } = story;
  if (story.n === null && runs.some(({ begin }) => begin !== null)) says('S2', 'it ran and nobody asked for it');
  for (const [index, run] of runs.entries()) {
    const epoch = index + 1;
    if (run.begin !== null && run.begin.n !== story.n && story.n !== null)
      says('S2', `it ran with ${run.begin.n} and was asked for with ${story.n}`);
    if (story.reborn) continue;
    if (run.begin !== null && run.again !== null)
      says('S3', `it ran twice in epoch ${epoch}, in ${run.begin.pid} and ${run.again.pid}`);
    if (run.begin !== null && epoch > claims) says('S6', `it ran in epoch ${epoch} without a claim`);
    checkEnd(epoch, run, says);
    checkOverlap(
      epoch,
      run,
      runs.slice(epoch).find(({ begin }) => begin !== null),
      rules,
      says,
    );
  }
}

/** What a run was settled as is what its handler did. */
function checkEnd(epoch: number, { ended, end }: Run, says: Says): void {
  if (ended?.kind !== 'settle') return;
  if (ended.to === 'succeeded' && end === null) says('S2', `epoch ${epoch} succeeded and its handler did not end`);
  if (ended.to === 'succeeded' && end?.how === 'threw') says('S4', `epoch ${epoch} succeeded and its handler threw`);
  if (ended.reason === 'error' && end?.how !== 'threw')
    says('S8', `epoch ${epoch} was charged for an error that its handler did not throw`);
}

/**
 * Two runs at a time are right only when the lease of the earlier one was taken away, or when it was told to end and
 * went on for longer than the grace. Who lost a lease must have been told so before the next run began, if it could act.
 */
function checkOverlap(epoch: number, earlier: Run, next: Run | undefined, rules: RunRules, says: Says): void {
  if (earlier.begin === null || next?.begin == null) return;
  const { at } = next.begin;
  const { pid } = earlier.begin;
  if (earlier.end !== null && earlier.end.at <= at) return;
  if (!rules.processes.couldAct(pid, at)) return;
  const { ended } = earlier;
  // What its worker has settled its worker has ended, with the process; and a process that never says another word has died.
  const isSilent = earlier.end === null && (ended?.kind === 'settle' || earlier.abort === null);
  if (earlier.begin.own === true && isSilent) return;
  const toldAt = earlier.abort?.at ?? Infinity;
  const both = `epochs ${epoch} and ${next.begin.epoch} ran at the same time`;
  if (ended?.kind !== 'judge' && toldAt + limits.graceMs * 0.9 > at) says('S4', `${both}, and no lease was lost`);
  const isLost = ended?.reason === 'lease_lost' || ended?.reason === 'crash_loop';
  const wasTold = toldAt <= at + rules.toldWithinMs || (earlier.end?.at ?? Infinity) <= at + rules.toldWithinMs;
  // Who computes without a pause in a process of its own hears nothing; its worker ends it after the grace.
  const wasHindered = earlier.numb !== null || !rules.processes.couldAct(pid, at, at + rules.toldWithinMs);
  if (isLost && !wasTold && !wasHindered) says('S4', `${both}, and the earlier was not told`);
}
