/** Waits for the end of a task, and tells what happens meanwhile. */

import type { Broker } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { isFinished } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import type { Clock } from '../core/time.ts';

export interface WaitOptions {
  readonly broker: Broker;
  readonly taskId: string;
  readonly clock: Clock;
  /** `null` waits for ever. */
  readonly timeoutMs: number | null;
  /** Ends the waiting; the task goes on. */
  readonly signal: AbortSignal;
  /** Called with every look at the task, at least four times a second. */
  onLook(task: Task): void;
}

/** A person sees progress move; a store does not notice four reads a second of one row. */
const lookMs = 250;

/** Resolves to the finished task; to `timedOut` or `aborted` with its last state. Throws TASK_NOT_FOUND when it is gone. */
export async function waitForEnd(
  options: WaitOptions,
): Promise<{ readonly task: Task; readonly end: 'finished' | 'timedOut' | 'aborted' }> {
  const { broker, taskId, clock, timeoutMs, signal } = options;
  const startedAt = clock.elapsed();
  const bell = createBell(clock, signal);
  const unsubscribe = broker.subscribe((hint) => {
    if (hint.kind === 'finished' && (hint.taskIds === null || hint.taskIds.includes(taskId))) bell.ring();
  });
  try {
    for (;;) {
      const [task] = await broker.getTasks([taskId]);
      if (task == null) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
      options.onLook(task);
      if (isFinished(task.state)) return { task, end: 'finished' };
      if (signal.aborted) return { task, end: 'aborted' };
      const leftMs = timeoutMs === null ? lookMs : timeoutMs - (clock.elapsed() - startedAt);
      if (leftMs <= 0) return { task, end: 'timedOut' };
      await bell.wait(Math.min(lookMs, leftMs));
    }
  } finally {
    unsubscribe();
  }
}

/** A wait that a hint or the signal ends early; a hint between two waits ends the next one. */
function createBell(clock: Clock, signal: AbortSignal): { ring(): void; wait(ms: number): Promise<void> } {
  let rung = false;
  let wake: (() => void) | null = null;
  const ring = (): void => {
    rung = true;
    wake?.();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    wait: (ms) =>
      new Promise((resolve) => {
        const done = (): void => {
          rung = false;
          wake = null;
          cancel();
          resolve();
        };
        const cancel = clock.schedule(ms, done);
        wake = done;
        if (rung) done();
      }),
  };
}
