/** What a server remembers of tasks that workers over HTTP hold: what a verdict needs, and how much they have said already. */

import type { Broker } from '../broker/broker.ts';
import type { JudgedTask } from '../core/decide.ts';
import { taskFlowError } from '../core/errors.ts';
import { formatBytes, utf8Length } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import type { RedactionOf } from '../core/redact.ts';
import { createScrub, type Scrub, scrubLine } from '../core/redact-task.ts';
import type { Checkpoint, ClaimedTask, Lease, LogLine, Task } from '../core/task.ts';

export interface HeldTask {
  /** As it was claimed: nothing of it changes while the lease is in force. */
  readonly task: JudgedTask;
  readonly flowId: string | null;
  readonly epoch: number;
  /** Whose lease is in force, as the store knows them; `token` is `null` where the store was asked, which tells none. */
  readonly workerId: string | null;
  readonly token: string | null;
  readonly steps: Map<string, number>;
  /** Takes hidden values of its input out of texts; `null` where there are none. */
  readonly scrub: Scrub | null;
  logLines: number;
}

/** Nothing depends on it: what is forgotten is read from the store again, by any server. */
export interface HeldTasks {
  remember(claimed: readonly ClaimedTask[]): void;
  /**
   * In the order of the leases; `null` for a task that is gone. Of a lease that is not in force the answer is the task as it is now.
   * Of one that is somebody else's it is a copy: what is noted there changes nothing of what is remembered.
   */
  find(workerId: string, leases: readonly Lease[]): Promise<readonly (HeldTask | null)[]>;
  /** Those of somebody else stay. */
  forget(workerId: string, leases: readonly Lease[]): void;
}

/** `broker` gives tasks as they are. */
export function createHeldTasks(broker: Pick<Broker, 'getTasks'>, redactionOf: RedactionOf): HeldTasks {
  /** By task and epoch, the oldest first. */
  const known = new Map<string, HeldTask>();

  function keep(key: string, task: Task, token: string | null): HeldTask {
    const steps = new Map(task.checkpoints.map((checkpoint) => [checkpoint.name, bytesOf(checkpoint)]));
    const redaction = redactionOf(task.policy);
    const scrub = redaction === null ? null : createScrub(redaction, task.payload);
    const { flowId, epoch, workerId } = task;
    const held = { task: judgedOf(task), flowId, epoch, workerId, token, steps, scrub, logLines: 0 };
    known.set(key, held);
    if (known.size > limits.heldTasksMax) known.delete(known.keys().next().value ?? '');
    return held;
  }

  async function find(workerId: string, leases: readonly Lease[]): Promise<readonly (HeldTask | null)[]> {
    const found = new Map<string, HeldTask>();
    const missing = leases.filter(({ taskId, epoch }) => !known.has(keyOf(taskId, epoch)));
    for (let at = 0; at < missing.length; at += limits.parentsFetchMax) {
      const chunk = missing.slice(at, at + limits.parentsFetchMax).map(({ taskId }) => taskId);
      for (const task of await broker.getTasks(chunk)) {
        if (task === null) continue;
        const { epoch } = task;
        found.set(task.id, known.get(keyOf(task.id, epoch)) ?? keep(keyOf(task.id, epoch), task, null));
      }
    }
    return leases.map((lease) => {
      const held = known.get(keyOf(lease.taskId, lease.epoch)) ?? found.get(lease.taskId) ?? null;
      return held === null || isOf(held, workerId, lease) ? held : { ...held, steps: new Map(held.steps) };
    });
  }

  return {
    remember(claimed) {
      for (const { task, lease } of claimed)
        if (!known.has(keyOf(task.id, task.epoch))) keep(keyOf(task.id, task.epoch), task, lease.token);
    },
    find,
    forget(workerId, leases) {
      for (const lease of leases) {
        const key = keyOf(lease.taskId, lease.epoch);
        const held = known.get(key);
        if (held !== undefined && isOf(held, workerId, lease)) known.delete(key);
      }
    },
  };
}

function isOf({ workerId, token }: HeldTask, asking: string, lease: Lease): boolean {
  return workerId === asking && (token === null || token === lease.token);
}

/** Throws STEP_TOO_LARGE for more than a task may remember. */
export function keepSteps({ steps }: HeldTask, added: readonly Checkpoint[]): void {
  const after = new Map(steps);
  for (const step of added) after.set(step.name, bytesOf(step));
  const bytes = [...after.values()].reduce((sum, one) => sum + one, 0);
  if (after.size > limits.stepsMax)
    throw taskFlowError('STEP_TOO_LARGE', { what: 'The list of steps', max: `${limits.stepsMax} steps` });
  if (bytes > limits.stepsBytesMax)
    throw taskFlowError('STEP_TOO_LARGE', { what: 'All steps together', max: formatBytes(limits.stepsBytesMax) });
  for (const [name, size] of after) steps.set(name, size);
}

/** The lines that are kept of these: of a handler that says too much, a word about that. */
export function keepLogs(held: HeldTask, lines: readonly LogLine[]): readonly LogLine[] {
  const room = Math.max(0, limits.logLinesMax - held.logLines);
  const before = held.logLines;
  held.logLines += lines.length;
  const first = lines[room];
  const { scrub } = held;
  const kept = lines.slice(0, room).map((line) => (scrub === null ? line : scrubLine(line, scrub)));
  if (first === undefined || before > limits.logLinesMax) return kept;
  const message = `Only ${limits.logLinesMax} lines of an attempt are kept; the rest was dropped.`;
  return [...kept, { ...first, level: 'warn', message, fields: null }];
}

const keyOf = (taskId: string, epoch: number): string => `${taskId}:${epoch}`;

const bytesOf = ({ name, value }: Checkpoint): number => utf8Length(name) + utf8Length(value ?? '');

function judgedOf(task: Task): JudgedTask {
  const { name, state, policy, attempt, crashes, interruptions, snoozes, startedAt, timeoutMs, dependsOn } = task;
  return { name, state, policy, attempt, crashes, interruptions, snoozes, startedAt, timeoutMs, dependsOn };
}
