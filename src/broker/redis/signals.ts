/** What a call tells beside its answer: hints for whoever waits. */

import type { Signal } from '../broker.ts';

/** What a call answers, and the signals to send. */
export interface Told<Answer> {
  readonly answer: Answer;
  readonly signals: readonly Signal[];
  /** Whether the script itself has told other processes what `Hints` has of work, and of what is due and overdue. */
  readonly isTold?: boolean;
}

/** As `signals` in lua/change.lua answers. */
export type Hints = readonly [
  work: readonly Buffer[],
  dueInMs: number,
  overdue: number,
  finished: readonly Buffer[],
  isTold: number,
];

/** What a script has left to tell other processes. A free slot is work in no queue, and no script tells of it. */
export function untold({ signals, isTold }: Told<unknown>): readonly Signal[] {
  if (isTold !== true) return signals;
  return signals.filter(({ kind, ...rest }) => {
    if (kind === 'work') return 'queues' in rest && rest.queues === null;
    return kind !== 'due' && kind !== 'overdue';
  });
}

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

/** Less the work in these queues, of which nothing is left. */
export function withoutQueues(signals: readonly Signal[], emptied: readonly string[]): readonly Signal[] {
  return signals.flatMap((signal) => {
    if (signal.kind !== 'work' || signal.queues === null) return [signal];
    const queues = signal.queues.filter((queue) => !emptied.includes(queue));
    return queues.length === 0 ? [] : [{ kind: 'work', queues }];
  });
}
