/** What a kit remembers: every task that was enqueued through it, and how each stood at the last look. */

import type { ClientStore } from '../client/client.ts';
import { limits } from '../core/limits.ts';
import { type TaskState, viewOf } from '../core/states.ts';
import type { NewTask, Progress, Task } from '../core/task.ts';
import { remoteErrorOf } from '../core/task-end.ts';
import type { Store } from '../history/history.ts';
import type { LoggedLine } from './stub.ts';

/** How one task stands. */
export interface Run<Output> {
  readonly id: string;
  readonly state: TaskState;
  /** Charged runs so far. */
  readonly attempts: number;
  /** What the handler returned; `undefined` until it succeeded. */
  readonly output: Output | undefined;
  /** What the last failed run threw; `undefined` when none did. */
  readonly error: Error | undefined;
  /** What all its runs logged, oldest first. */
  readonly logs: readonly LoggedLine[];
  readonly progress: Progress | null;
  /** What its steps left, by name; the next attempt begins with it. */
  readonly steps: Readonly<Record<string, unknown>>;
}

/** What a walk came to: how the tasks that it moved stand at its end. */
export interface DrainCounts {
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Waiting for their next attempt. */
  readonly retrying: number;
}

/** What was enqueued through the kit, and how it stood at the last look. */
export interface EnqueueRecord {
  readonly tasks: readonly Task[];
  add(task: NewTask): void;
  inputsOf<Input>(name: string): Input[];
  refresh(store: Store): Promise<readonly Task[]>;
}

export function createRecord(): EnqueueRecord {
  const enqueued: { readonly id: string; readonly name: string; readonly input: unknown }[] = [];
  let tasks: readonly Task[] = [];
  return {
    get tasks() {
      return tasks;
    },
    add: (task) => void enqueued.push({ id: task.id, name: task.name, input: inputOf(task) }),
    inputsOf: <Input>(name: string) =>
      enqueued.filter((each) => each.name === name && each.input !== undefined).map((each) => each.input as Input),
    async refresh({ broker }) {
      const ids = enqueued.map((each) => each.id);
      const known = new Map(tasks.map((task) => [task.id, task]));
      const found: Task[] = [];
      for (let at = 0; at < ids.length; at += limits.batchMax) {
        const chunk = ids.slice(at, at + limits.batchMax);
        const answers = await broker.getTasks(chunk);
        // A task whose retention is over stays here as it was last seen.
        for (const [index, id] of chunk.entries()) {
          const task = answers[index] ?? known.get(id);
          if (task !== undefined) found.push(task);
        }
      }
      tasks = found;
      return tasks;
    },
  };
}

/** `undefined` where a schedule makes the input when the task runs. No JSON is that. */
function inputOf({ payload, firedBy }: NewTask): unknown {
  return firedBy?.input === 'made' ? undefined : JSON.parse(payload);
}

/** The store of the kit's client: what it stores is recorded. */
export function recordingStore({ broker }: Store, record: EnqueueRecord): ClientStore {
  return {
    broker: {
      async enqueue(tasks) {
        const results = await broker.enqueue(tasks);
        for (const [index, task] of tasks.entries()) {
          const outcome = results[index]?.outcome;
          if (outcome === 'created' || outcome === 'replaced') record.add(task);
        }
        return results;
      },
      getTasks: (ids) => broker.getTasks(ids),
      cancel: (request) => broker.cancel(request),
      subscribe: (listener) => broker.subscribe(listener),
      getWorkers: () => broker.getWorkers(),
      info: () => broker.info(),
    },
    // The kit closes its store itself, after its client.
    close: async () => {},
  };
}

/** A task as its test sees it. */
export function runOf<Output>(task: Task, logs: readonly LoggedLine[]): Run<Output> {
  return {
    id: task.id,
    state: task.state,
    attempts: task.attempt,
    output: task.result === null ? undefined : (JSON.parse(task.result) as Output),
    error: remoteErrorOf(task) ?? undefined,
    logs,
    progress: task.progress,
    steps: Object.fromEntries(
      task.checkpoints.map(({ name, value }) => [name, value === null ? undefined : JSON.parse(value)]),
    ),
  };
}

/** How many of these tasks stand where. */
export function countsOf(tasks: readonly Task[]): DrainCounts {
  const count = (state: string): number =>
    tasks.filter((task) => viewOf(task) === state || task.state === state).length;
  return {
    succeeded: count('succeeded'),
    failed: count('failed'),
    cancelled: count('cancelled'),
    retrying: count('retrying'),
  };
}
