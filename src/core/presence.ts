/** What processes publish about themselves with their heartbeats. */

import type { SentCommand, StoredStack } from './commands.ts';
import type { LimitTemplate } from './limit-rules.ts';
import { limits } from './limits.ts';
import type { IfExists } from './task.ts';

/** A task definition as a worker publishes it: data only, so that any surface can validate, render and explain. */
export interface Definition {
  readonly name: string;
  readonly description: string | null;
  readonly queue: string;
  /** JSON Schema of the input, or `null` when the schema library cannot give one. */
  readonly inputSchema: unknown;
  readonly schemaVersion: string | null;
  /** Normalised policy (core/policy.ts). */
  readonly policy: string;
  readonly timeoutMs: number | null;
  readonly key: string | null;
  readonly keyForMs: number | null;
  /** What an enqueue does when the key is held. */
  readonly ifExists: IfExists;
  readonly group: string | null;
  /** Absent from workers of versions before limits. */
  readonly limits?: readonly LimitTemplate[];
  /** Names of its schedules that this process has the code of. Absent from workers of versions before schedules. */
  readonly schedules?: readonly string[];
  /** Present for a flow. */
  readonly isFlow?: boolean;
  /** File it came from, relative to the project, or `null`. */
  readonly file: string | null;
}

/** What a process says about itself with each heartbeat. */
export interface Presence {
  readonly workerId: string;
  /** Name a person gave or host-pid. */
  readonly name: string;
  readonly host: string;
  readonly pid: number;
  /** Identifies the boot of the host, so that a pid of an earlier boot is known to be dead. */
  readonly bootId: string | null;
  readonly version: string;
  /** Queues it claims from with its slots for each; empty for a pure server. */
  readonly queues: Readonly<Record<string, number>>;
  readonly concurrency: number;
  readonly running: number;
  readonly state: 'ready' | 'draining' | 'stopped';
  /** Whether it runs the engine's services (promoter, reaper, …). */
  readonly services: boolean;
  /** Whether it is a server: while one lives, workers leave the services to it. */
  readonly server: boolean;
  /** Names of the tasks it can run. */
  readonly taskNames: readonly string[];
  /** Sent with the first beat and after a change, else `null`. */
  readonly definitions: readonly Definition[] | null;
  /** How late its event loop turned lately, at worst. Absent where nobody measures it. */
  readonly loopLagMs?: number;
  /** Present while its event loop does not turn. */
  readonly blocked?: LoopBlock;
  /** Present for `limits.stallToldMs` after a stall. */
  readonly stall?: StallMark;
}

/** A time in which free slots were given nothing although tasks waited, until the process made its connections anew. */
export interface StallMark {
  readonly forMs: number;
  /** How many tasks waited; `null` when nobody could ask, since a call of the store had no end. */
  readonly waiting: number | null;
  /** How long ago it ended when this was published. */
  readonly agoMs: number;
}

/** An event loop that does not turn, because a handler computes without a pause. */
export interface LoopBlock {
  readonly forMs: number;
  /** Names of the handlers in flight: one of them is the cause. */
  readonly handlers: readonly string[];
  /** Where it stands, `name (file:line:column)`; `null` when that could not be read. */
  readonly at: string | null;
}

/** A process as the store knows it. */
export interface WorkerRecord extends Omit<Presence, 'definitions'> {
  readonly definitions: readonly Definition[];
  readonly startedAt: number;
  readonly beatAt: number;
  /** Commands it has not confirmed yet, in the order of their ids. */
  readonly commands: readonly SentCommand[];
  /** Its last answer to `stack`. */
  readonly stack: StoredStack | null;
}

/** Whether a process has beaten lately enough to count on it, at `now` of the store's clock. */
export function isAlive({ beatAt }: Pick<WorkerRecord, 'beatAt'>, now: number): boolean {
  return beatAt + limits.presenceMs > now;
}
