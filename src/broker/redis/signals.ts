/** What a call tells beside its answer: hints for whoever waits. */

import type { Signal } from '../broker.ts';

/** What a call answers, and the signals to send. */
export interface Told<Answer> {
  readonly answer: Answer;
  readonly signals: readonly Signal[];
}

/** As `signals` in lua/change.lua answers. */
export type Hints = readonly [work: readonly Buffer[], dueInMs: number];

export function signalsOf([work, dueInMs]: Hints): readonly Signal[] {
  return [
    ...(work.length > 0 ? [{ kind: 'work', queues: work.map(String) } as const] : []),
    ...(dueInMs >= 0 ? [{ kind: 'due', inMs: dueInMs } as const] : []),
  ];
}
