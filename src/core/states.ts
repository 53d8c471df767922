/** The seven stored states, the words shown for them, and the whole transition table as one literal. */

/** In the order of the life cycle: bars, legends and chips keep it. */
export const taskStates = ['blocked', 'scheduled', 'queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type TaskState = (typeof taskStates)[number];

/** The word shown for a task; derived from state, reason and attempt, never stored as the truth. */
export const taskViews = [
  'scheduled',
  'queued',
  'blocked',
  'running',
  'retrying',
  'succeeded',
  'failed',
  'quarantined',
  'cancelled',
  'expired',
] as const;
export type TaskView = (typeof taskViews)[number];

/** Why a task is in its state; `null` where the state says it all. */
export const reasons = [
  'error',
  'timeout',
  'crashed',
  'crash_loop',
  'dependency',
  'user',
  'expired',
  'skipped',
  'replaced',
  'snooze',
  'released',
  'lease_lost',
  'unknown_task',
  'retry',
] as const;
export type Reason = (typeof reasons)[number];

export type WaitingState = 'blocked' | 'scheduled' | 'queued';
export type FinishedState = 'succeeded' | 'failed' | 'cancelled';

export const waitingStates: readonly TaskState[] = ['blocked', 'scheduled', 'queued'];
export const finishedStates: readonly TaskState[] = ['succeeded', 'failed', 'cancelled'];

/** Whether the state is final: only a retry by a person or removal follows. */
export function isFinished(state: TaskState): state is FinishedState {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

/** Whether the task waits to run. */
export function isWaiting(state: TaskState): state is WaitingState {
  return state === 'blocked' || state === 'scheduled' || state === 'queued';
}

/** One row per operation of the seam that changes a state; `null` is "not in the store". */
interface Transition {
  readonly from: readonly (TaskState | null)[];
  readonly to: readonly (TaskState | null)[];
}

/**
 * The transition table: what is not in it cannot happen. The SQL CHECK, the diagram in docs/states.md and the
 * conformance suite are compared with it in tests.
 */
export const transitions = {
  enqueue: { from: [null], to: ['blocked', 'scheduled', 'queued'] },
  restore: { from: [null], to: taskStates },
  block: { from: ['blocked', 'scheduled', 'queued'], to: ['blocked'] },
  unblock: { from: ['blocked'], to: ['scheduled', 'queued', 'cancelled'] },
  promote: { from: ['scheduled'], to: ['queued'] },
  claim: { from: ['queued'], to: ['running'] },
  settle: { from: ['running'], to: ['succeeded', 'failed', 'cancelled', 'scheduled', 'queued', 'blocked'] },
  judge: { from: ['blocked', 'scheduled', 'queued', 'running'], to: ['failed', 'cancelled', 'scheduled', 'queued'] },
  cancel: { from: ['blocked', 'scheduled', 'queued'], to: ['cancelled'] },
  replace: { from: ['blocked', 'scheduled', 'queued'], to: ['cancelled'] },
  update: { from: ['scheduled', 'queued'], to: ['scheduled', 'queued'] },
  retry: { from: finishedStates, to: ['blocked', 'queued'] },
  remove: { from: finishedStates, to: [null] },
  prune: { from: finishedStates, to: [null] },
} as const satisfies Record<string, Transition>;

export type TransitionName = keyof typeof transitions;

/** Whether `operation` may move a task from one state to another. */
export function isLegal(operation: TransitionName, from: TaskState | null, to: TaskState | null): boolean {
  const row: Transition = transitions[operation];
  return row.from.includes(from) && row.to.includes(to);
}

/** The word to show for a task. */
export function viewOf(task: {
  readonly state: TaskState;
  readonly reason: Reason | null;
  readonly attempt: number;
}): TaskView {
  if (task.state === 'scheduled' && task.attempt >= 1) return 'retrying';
  if (task.state === 'cancelled' && task.reason === 'expired') return 'expired';
  if (task.state === 'failed' && task.reason === 'crash_loop') return 'quarantined';
  return task.state;
}

/** The stored state behind a word. */
export function stateOfView(view: TaskView): TaskState {
  if (view === 'retrying') return 'scheduled';
  if (view === 'expired') return 'cancelled';
  if (view === 'quarantined') return 'failed';
  return view;
}

/** Whether a task that is shown by this word waits to run. */
export function isWaitingView(view: string): boolean {
  return view === 'retrying' || waitingStates.some((state) => state === view);
}
