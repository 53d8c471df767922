/** Large pieces of work, one after the other with pauses between them, in which everything else goes on. */

import { limits } from '../core/limits.ts';
import { onNextTurn } from '../core/time.ts';
import { createBacklog } from './backlog.ts';

export interface Paced {
  /** Begins work at once where there is none, or when it is this caller's turn among those who wait. */
  begin(caller: string, work: () => void): void;
}

/**
 * A request takes several turns of the event loop from its connection to its answer: with a piece of half a second in each of them it took
 * seconds. So after each piece some turns pass without one, which cost nothing where nobody else wants anything.
 */
export function createPaced(nextTurn = onNextTurn): Paced {
  const backlog = createBacklog();
  let isUnderWay = false;

  function next(): void {
    const work = backlog.take();
    isUnderWay = work !== undefined;
    if (work === undefined) return;
    work();
    pause(limits.bodyPauseTurns);
  }

  function pause(turns: number): void {
    nextTurn(() => (turns > 1 ? pause(turns - 1) : next()));
  }

  return {
    begin(caller, work) {
      backlog.add(caller, work);
      if (!isUnderWay) next();
    },
  };
}
