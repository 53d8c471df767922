/** What a worker tells those who listen to it. */

import type { SettleResult } from '../broker/broker.ts';
import type { WorkerCommand } from '../core/commands.ts';
import { toTaskError } from '../core/error-facts.ts';
import type { Reason } from '../core/states.ts';
import type { TaskError, Verdict } from '../core/task.ts';
import type { Attempt } from './attempt.ts';
import type { Standstill } from './guard-watch.ts';
import type { Stall } from './watchdog.ts';

/** One run of one task. */
export interface RunEvent {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly attempt: number;
  /** How long the handler ran; 0 when it never began. */
  readonly ms: number;
  readonly reason: Reason | null;
  readonly error: TaskError | null;
}

/** Trouble of the worker itself: `service` failed or listens again. */
export interface TroubleEvent {
  readonly service: string;
  readonly error: unknown;
  /** How often in a row. */
  readonly failures: number;
}

/** Somebody told this worker something. For `restart` its host ends it and begins anew; the rest it does itself. */
export interface CommandEvent {
  readonly command: WorkerCommand;
  /** Handlers that ran then. */
  readonly running: number;
}

export interface WorkerEvents {
  /** A handler is about to begin. */
  started: RunEvent;
  succeeded: RunEvent;
  /** Failed for good. */
  failed: RunEvent;
  /** Ended in an error and will run again. */
  retrying: RunEvent;
  snoozed: RunEvent;
  cancelled: RunEvent;
  /** Given back without a charge. */
  released: RunEvent;
  /** The outcome was not stored: it came too late for its lease, or the store would not take it. */
  dropped: RunEvent;
  /** The handler ignored its abort; its slot was opened again. */
  stuck: RunEvent;
  /** Its event loop turns again after a standstill that its guard noticed. */
  blocked: Standstill;
  /** Free slots were given nothing while tasks waited, or a call had no end, until it made its connections anew. */
  stalled: Stall;
  /** It was told to drain, resume, scale, tell its stacks or restart. */
  command: CommandEvent;
  /** Its handler, or something that handler left behind, failed and nobody caught it, or it called `process.exit`. */
  stray: RunEvent;
  /** A call of the store failed; the worker goes on and tries again. */
  trouble: TroubleEvent;
  /** The store answers again. */
  recovered: TroubleEvent;
}

export type WorkerEventName = keyof WorkerEvents;

export interface Emitter {
  on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): void;
  /** `event` is made only when somebody listens. A listener that throws or rejects harms nobody: its error becomes `trouble`. */
  emit<Name extends WorkerEventName>(name: Name, event: () => WorkerEvents[Name]): void;
}

export function createEmitter(): Emitter {
  const listeners = new Map<WorkerEventName, ((event: never) => void)[]>();

  function on<Name extends WorkerEventName>(name: Name, listener: (event: WorkerEvents[Name]) => void): void {
    listeners.set(name, [...(listeners.get(name) ?? []), listener as (event: never) => void]);
  }

  function emit<Name extends WorkerEventName>(name: Name, event: () => WorkerEvents[Name]): void {
    const mine = listeners.get(name);
    if (mine === undefined) return;
    const made = event();
    const tell = (error: unknown): void => {
      if (name !== 'trouble') emit('trouble', () => ({ service: `listener of ${name}`, error, failures: 1 }));
    };
    for (const listener of mine) {
      try {
        const answer = (listener as (event: WorkerEvents[Name]) => unknown)(made);
        if (answer instanceof Promise) answer.catch(tell);
      } catch (error) {
        tell(error);
      }
    }
  }

  return { on, emit };
}

/** What a settlement is called to those who listen. */
export function eventOf(
  verdict: Verdict,
  result: SettleResult,
): 'succeeded' | 'failed' | 'cancelled' | 'retrying' | 'snoozed' | 'released' | 'dropped' {
  if (result.outcome === 'stale' || result.outcome === 'unknown') return 'dropped';
  const to = result.outcome === 'diverted' ? result.to : verdict.to;
  if (to === 'succeeded' || to === 'failed' || to === 'cancelled') return to;
  if (verdict.reason === 'snooze') return 'snoozed';
  return verdict.reason === 'released' || verdict.reason === 'unknown_task' ? 'released' : 'retrying';
}

export function runEvent({ task, ranMs, verdict }: Attempt): RunEvent {
  const { id, name, queue, attempt } = task;
  return { id, name, queue, attempt, ms: ranMs ?? 0, reason: verdict?.reason ?? null, error: verdict?.error ?? null };
}

/** A run and what it left behind, whatever its own end was. */
export function strayEvent(attempt: Attempt, thrown: unknown): RunEvent {
  return { ...runEvent(attempt), error: attempt.tellable(toTaskError(attempt.task.name, thrown)) };
}
