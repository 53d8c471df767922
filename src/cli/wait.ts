/** Waits for the end of a task, and tells what happens meanwhile. */

import type { Broker } from '../broker/broker.ts';
import { taskFlowError } from '../core/errors.ts';
import { isFinished, type TaskState, type TaskView, viewOf } from '../core/states.ts';
import type { Progress } from '../core/task.ts';
import { type Cancel, type Clock, sleep } from '../core/time.ts';
import { taskGet } from '../operations/task.ts';
import { taskResult } from '../operations/task-result.ts';
import type { Session } from './session.ts';

/** A task as somebody who waits for it sees it. */
export interface Look {
  readonly id: string;
  readonly state: TaskState;
  readonly view: TaskView;
  readonly progress: Progress | null;
}

/** Where a task is looked at. */
export interface Watched {
  /** Throws TASK_NOT_FOUND when it is gone. */
  look(): Promise<Look>;
  /** Calls `ring` when it may have ended; answers how to end that. */
  listen(ring: () => void): () => void;
  /** Between two looks. */
  readonly lookMs: number;
}

/** A person sees progress move; a store does not notice four reads a second of one row. */
const storeLookMs = 250;
/** A request costs more than a read. The end itself is told by one that waits. */
const serverLookMs = 1_000;
const serverWait = '30s';

export function watchedAtStore(broker: Broker, taskId: string): Watched {
  return {
    lookMs: storeLookMs,
    async look() {
      const [task] = await broker.getTasks([taskId]);
      if (task == null) throw taskFlowError('TASK_NOT_FOUND', { id: taskId });
      const { id, state, progress } = task;
      return { id, state, view: viewOf(task), progress };
    },
    listen: (ring) =>
      broker.subscribe((hint) => {
        if (hint.kind === 'finished' && (hint.taskIds === null || hint.taskIds.includes(taskId))) ring();
      }),
  };
}

export function watchedThroughServer({ ask }: Session, taskId: string, clock: Clock): Watched {
  return {
    lookMs: serverLookMs,
    look: () => ask(taskGet, { id: taskId }),
    listen(ring) {
      const ended = new AbortController();
      void ringAtEnd(ended.signal, ring);
      return () => ended.abort();
    },
  };

  async function ringAtEnd(signal: AbortSignal, ring: () => void): Promise<void> {
    while (!signal.aborted) {
      const isOver = await ask(taskResult, { id: taskId, wait: serverWait }).then(
        ({ finished }) => finished,
        // What is wrong shows with the next look.
        () =>
          sleep(clock, serverLookMs, signal).then(
            () => false,
            () => true,
          ),
      );
      if (isOver) return ring();
    }
  }
}

export interface WaitOptions {
  readonly watched: Watched;
  readonly clock: Clock;
  /** `null` waits for ever. */
  readonly timeoutMs: number | null;
  /** Ends the waiting; the task goes on. */
  readonly signal: AbortSignal;
  /** Called with every look at the task. */
  onLook(task: Look): void;
}

/** How a wait ended, with the last look; `null` where none was ever answered. */
export type WaitEnd =
  | { readonly end: 'finished'; readonly task: Look }
  | { readonly end: 'timedOut' | 'aborted'; readonly task: Look | null };

/**
 * Resolves to the finished task, to `timedOut` or `aborted` with its last state. The last look may take as long as the pause between two, no
 * longer: who asks a server that does not answer wants to be let go all the same. Throws TASK_NOT_FOUND when it is gone.
 */
export async function waitForEnd(options: WaitOptions): Promise<WaitEnd> {
  const { watched, clock, timeoutMs, signal } = options;
  const startedAt = clock.elapsed();
  const leftMs = () => (timeoutMs === null ? Infinity : timeoutMs - (clock.elapsed() - startedAt));
  const bell = createBell(clock, signal);
  const unsubscribe = watched.listen(bell.ring);
  const over = createOver(options);
  let last: Look | null = null;
  try {
    for (;;) {
      const task = await Promise.race([watched.look(), over.promise]);
      if (task === null) return { task: last, end: signal.aborted ? 'aborted' : 'timedOut' };
      last = task;
      options.onLook(task);
      if (isFinished(task.state)) return { task, end: 'finished' };
      if (signal.aborted) return { task, end: 'aborted' };
      if (leftMs() <= 0) return { task, end: 'timedOut' };
      await bell.wait(Math.min(watched.lookMs, leftMs()));
    }
  } finally {
    unsubscribe();
    over.stop();
  }
}

/** Resolves when nobody waits any more, also for a look that is under way. */
function createOver({ watched, clock, timeoutMs, signal }: WaitOptions): { promise: Promise<null>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<null>();
  const cancels: Cancel[] = [];
  const endSoon = (ms: number): void => void cancels.push(clock.schedule(ms, () => resolve(null)));
  const onAbort = (): void => endSoon(watched.lookMs);
  if (timeoutMs !== null) endSoon(timeoutMs + watched.lookMs);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    promise,
    stop() {
      signal.removeEventListener('abort', onAbort);
      for (const cancel of cancels) cancel();
    },
  };
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
