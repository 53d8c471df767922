/** Replays the events of one task: what it may have done, against what it did. */

import { backoffMs } from '../../src/core/backoff.ts';
import type { BatchEvent, EventItem } from '../../src/core/events.ts';
import { limits } from '../../src/core/limits.ts';
import { defaultPolicy, parsePolicy } from '../../src/core/policy.ts';
import { isFinished, isLegal, type Reason, type TaskState } from '../../src/core/states.ts';
import type { NewTask } from '../../src/core/task.ts';

/** A broken rule, in the numbers of the guarantees: S1 no loss, S5 one end, S7 legality, … */
export interface Violation {
  readonly rule:
    | 'S1'
    | 'S2'
    | 'S3'
    | 'S4'
    | 'S5'
    | 'S6'
    | 'S7'
    | 'S8'
    | 'S9'
    | 'S10'
    | 'S11'
    | 'S15'
    | 'S16'
    | 'S17'
    | 'S18'
    | 'S21'
    | 'L4'
    | 'steps'
    | 'stop'
    | 'unknown';
  readonly taskId: string | null;
  readonly sentence: string;
}

export type Tell = (rule: Violation['rule'], taskId: string | null, sentence: string) => void;

/** How one claim of a task ended. */
export interface RunEnd {
  readonly kind: 'settle' | 'judge';
  readonly to: TaskState | null;
  readonly reason: Reason | null;
}

/** What the events of one task amount to. */
export interface TaskStory {
  readonly taskId: string;
  state: TaskState | null;
  version: number;
  attempt: number;
  generation: number;
  enqueues: number;
  createdAt: number;
  /** Final transitions of this generation. */
  ends: number;
  /** By epoch less one: how the claim ended, `null` while it has not. */
  readonly runs: (RunEnd | null)[];
  /** The earliest time of the next claim. */
  notBefore: number;
  notBeforeRule: 'S9' | 'S10';
  /** Whether a person asked for the end of this generation while it ran. */
  cancelRequested: boolean;
  /** Runs of this generation that were given back or lost, for which nothing is charged until there are too many. */
  lost: number;
  released: number;
  /** Removed or pruned, and whether the same id came again after that: then its epochs begin anew. */
  removed: boolean;
  reborn: boolean;
}

export function createStory(taskId: string): TaskStory {
  return {
    taskId,
    state: null,
    version: 0,
    attempt: 0,
    generation: 1,
    enqueues: 0,
    createdAt: 0,
    ends: 0,
    runs: [],
    notBefore: 0,
    notBeforeRule: 'S9',
    cancelRequested: false,
    lost: 0,
    released: 0,
    removed: false,
    reborn: false,
  };
}

/** What the checker knows of the task beside its events. */
export interface Known {
  /** As its client sent it, where that was written down. */
  readonly asked: NewTask | null;
  readonly policy: string | null;
  /** As its client asked for it. */
  readonly delayMs: number;
  /** What an update that made this version did to the time: a new delay, `null` for nothing, `undefined` when unknown. */
  readonly patchedDelayMs: number | null | undefined;
  /** Whether it may have taken the place, and the earlier time, of a task that was replaced in the same step. */
  readonly mayInherit: boolean;
}

/** Takes one change into the story and tells what it breaks. */
export function replay(story: TaskStory, event: BatchEvent, item: EventItem, known: Known, tell: Tell): void {
  const says = (rule: Violation['rule'], sentence: string): void =>
    tell(rule, story.taskId, `event ${event.seq}, ${event.kind} ${item.from} → ${item.to}: ${sentence}`);
  if (item.from !== story.state) says('S7', `it was ${story.state}`);
  if (item.version !== story.version + 1) says('S18', `version ${item.version} follows ${story.version}`);
  if (!isMove(event, item)) says('S7', 'there is no such transition');
  if (event.kind === 'enqueue') enqueued(story, event, known, says);
  if (event.kind === 'claim') claimed(story, event, item, known, says);
  if (event.kind === 'update' && known.patchedDelayMs !== null)
    story.notBefore = event.at + (known.patchedDelayMs ?? 0);
  if (event.kind === 'cancelRequest') story.cancelRequested = true;
  if ((event.kind === 'settle' || event.kind === 'judge') && item.from === 'running')
    ended(story, event, event.kind, item, known, says);
  if (event.kind === 'retry') retried(story, event);
  if (item.to !== null && isFinished(item.to) && ++story.ends > 1) says('S5', `it has ended ${story.ends} times`);
  story.state = item.to;
  story.version = item.version;
  story.attempt = item.attempt;
  if (item.to === null) {
    story.removed = true;
    story.version = 0;
  }
}

function retried(story: TaskStory, event: BatchEvent): void {
  story.ends = 0;
  story.generation += 1;
  story.notBefore = event.at;
  story.cancelRequested = false;
  story.lost = 0;
  story.released = 0;
}

type Says = (rule: Violation['rule'], sentence: string) => void;

function isMove(event: BatchEvent, item: EventItem): boolean {
  if (event.kind === 'configure' || event.kind === 'control') return false;
  if (event.kind === 'cancelRequest') return item.from === 'running' && item.to === 'running';
  if (event.kind === 'update' && item.from === item.to) return true;
  return isLegal(event.kind, item.from, item.to);
}

function enqueued(story: TaskStory, event: BatchEvent, known: Known, says: Says): void {
  if (story.removed) {
    Object.assign(story, { ...createStory(story.taskId), state: story.state, reborn: true });
  }
  story.enqueues += 1;
  if (story.enqueues > 1) says('S1', 'it was accepted twice');
  story.createdAt = event.at;
  const { asked } = known;
  const dueAt = asked?.at ?? event.at + known.delayMs;
  story.notBefore = asked?.ifExists === 'replace' && known.mayInherit ? event.at : dueAt;
}

function claimed(story: TaskStory, event: BatchEvent, item: EventItem, { asked }: Known, says: Says): void {
  if (event.at < story.notBefore) says(story.notBeforeRule, `${story.notBefore - event.at} ms too early`);
  if (story.generation === 1 && asked?.expiresInMs != null && event.at >= story.createdAt + asked.expiresInMs)
    says('S9', 'its life was over');
  if (item.attempt !== story.attempt + 1) says('S8', `attempt ${item.attempt} follows ${story.attempt}`);
  if (story.runs.at(-1) === null) says('S3', 'the claim before has not ended');
  story.runs.push(null);
}

function ended(
  story: TaskStory,
  event: BatchEvent,
  kind: 'settle' | 'judge',
  item: EventItem,
  known: Known,
  says: Says,
): void {
  if (story.runs.length > 0) story.runs[story.runs.length - 1] = { kind, to: item.to, reason: item.reason };
  const policy = known.policy === null ? defaultPolicy : parsePolicy(known.policy);
  const isCharged = item.attempt === story.attempt;
  if (!isCharged && item.attempt !== story.attempt - 1) says('S8', `attempt ${item.attempt} after ${story.attempt}`);
  const wanted = chargeOf(story, item);
  if (wanted !== null && wanted !== isCharged)
    says('S8', `${item.reason ?? item.to} ${wanted ? 'costs' : 'does not cost'} an attempt`);
  if (item.attempt > policy.attempts) says('S8', `${item.attempt} attempts where ${policy.attempts} are allowed`);
  checkCancel(story, item, known, says);
  if (item.reason === 'crash_loop' && story.lost < limits.crashesMax - 1)
    says('S8', `quarantined after ${story.lost} lost leases`);
  if (item.reason === 'lease_lost') story.lost += 1;
  if (item.reason === 'released') story.released += 1;
  if (item.to !== 'scheduled') return;
  // Chance only lengthens the shortest delay the policy allows.
  const isRetry = item.reason === 'error' || item.reason === 'timeout';
  story.notBefore = event.at + (isRetry ? backoffMs(policy, item.attempt, 0) : 0);
  story.notBeforeRule = 'S10';
}

/** Once its end was asked for, a run can only end for good: as cancelled, or as the success it had become. */
function checkCancel(story: TaskStory, item: EventItem, { asked }: Known, says: Says): void {
  if (!story.cancelRequested || item.to === 'cancelled') return;
  if (item.to !== 'succeeded' || asked?.strictCancel === true) says('S15', 'its cancellation was requested');
}

/** Whether the end of a run must cost an attempt; `null` where it depends on more than the event tells. */
function chargeOf(story: TaskStory, { to, reason }: EventItem): boolean | null {
  if (to === 'succeeded') return true;
  if (reason === 'error' || reason === 'timeout') return true;
  if (reason === 'lease_lost' || reason === 'crash_loop' || reason === 'snooze' || reason === 'unknown_task')
    return false;
  // Free until a task was interrupted too often.
  return reason === 'released' && story.lost + story.released < limits.interruptionsMax ? false : null;
}
