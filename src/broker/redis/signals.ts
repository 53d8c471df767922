/** What a call tells beside its answer: hints for whoever waits. */

import type { Signal } from '../broker.ts';

/** What a call answers, and the signals to send. */
export interface Told<Answer> {
  readonly answer: Answer;
  readonly signals: readonly Signal[];
}

/** As `signals` in lua/change.lua answers. */
export type Hints = readonly [work: readonly Buffer[], dueInMs: number, overdue: number, finished: readonly Buffer[]];

/** `finished` are those that the call itself has ended. */
export function signalsOf(
  [work, dueInMs, overdue, others]: Hints,
  finished: readonly string[] = [],
): readonly Signal[] {
  const taskIds = [...finished, ...others.map(String)];
  return [
    ...(work.length > 0 ? [{ kind: 'work', queues: work.map(String) } as const] : []),
    ...(dueInMs >= 0 ? [{ kind: 'due', inMs: dueInMs } as const] : []),
    ...(overdue === 1 ? [{ kind: 'overdue' } as const] : []),
    ...(taskIds.length > 0 ? [{ kind: 'finished', taskIds } as const] : []),
  ];
}
