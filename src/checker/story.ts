/** The story of one task as its events tell it: what it may have done, against what it did. */

import { backoffMs } from '../core/backoff.ts';
import type { BatchEvent, EventItem } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import { defaultPolicy, type Policy, parsePolicy } from '../core/policy.ts';
import { type FinishedState, isFinished, isLegal, type Reason, type TaskState } from '../core/states.ts';
import type { LimitRule } from '../core/task.ts';
import type { Asked, ClientEntry, Effect } from './evidence.ts';
import { type Ends, noteEnd } from './families.ts';
import type { Rule } from './verdict.ts';

/** How one claim of a task ended. */
export interface RunEnd {
  readonly kind: 'settle' | 'judge';
  readonly to: TaskState | null;
  readonly reason: Reason | null;
}

/** One claim and what its handler wrote down. */
export interface Run {
  isClaimed: boolean;
  ended: RunEnd | null;
  begin: Effect | null;
  /** Another beginning in the same epoch: of the next life of a removed id, or a mistake. */
  again: Effect | null;
  /** When it was told to end. */
  abort: Effect | null;
  /** From when on it could not be told. */
  numb: Effect | null;
  end: Effect | null;
}

/** One thing that was seen of a task, for the context of a broken promise. */
export type Line = ClientEntry | Effect | { readonly event: BatchEvent; readonly item: EventItem };

/** What is known of one task. */
export interface TaskStory {
  readonly taskId: string;
  asked: Asked | null;
  /** Limits that an edit gave it, in this life of its id, in place of those that were asked for. */
  edited: readonly LimitRule[] | null;
  n: number | null;
  /** Calls whose answer was not seen yet, by process. */
  readonly waiting: number[];
  isAccepted: boolean;
  /** Whether some call may have stored it without its client knowing. */
  isUnsure: boolean;
  isRefused: boolean;
  /** Asked for by a run of another task. */
  isSpawned: boolean;
  state: TaskState | null;
  version: number;
  attempt: number;
  generation: number;
  enqueues: number;
  createdAt: number;
  /** When it was queued last. */
  queuedAt: number;
  /** When it ended, and until when it must be kept for that. */
  keptUntil: number;
  /** Final transitions of this generation. */
  ends: number;
  claims: number;
  /** By epoch less one. */
  readonly runs: Run[];
  /** What its handlers said of their steps and children; `null` while they had none. */
  steps: Effect[] | null;
  spawned: Effect[] | null;
  /** How it has ended so far, in any generation. */
  readonly ended: Ends;
  /** The earliest time of the next claim, and the promise that says so. */
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
  /** When a record apart from its live store forgot it; `null` while nothing says so, or when it went on after that. */
  outAt: number | null;
  /** The last things that were seen, oldest first. */
  readonly trail: Line[];
}

export function createStory(taskId: string): TaskStory {
  return {
    taskId,
    asked: null,
    n: null,
    waiting: [],
    isAccepted: false,
    isUnsure: false,
    isRefused: false,
    isSpawned: false,
    ...unheardOf,
    runs: [],
    steps: null,
    spawned: null,
    ended: { succeeded: false, other: false },
    removed: false,
    reborn: false,
    outAt: null,
    trail: [],
  };
}

const unheardOf = {
  state: null,
  edited: null,
  version: 0,
  attempt: 0,
  generation: 1,
  enqueues: 0,
  createdAt: 0,
  queuedAt: 0,
  keptUntil: 0,
  ends: 0,
  claims: 0,
  notBefore: 0,
  notBeforeRule: 'S9',
  cancelRequested: false,
  lost: 0,
  released: 0,
} as const;

/** The run of an epoch; claims and handlers may be heard of in any order. */
export function runOf(story: TaskStory, epoch: number): Run {
  while (story.runs.length < epoch)
    story.runs.push({ isClaimed: false, ended: null, begin: null, again: null, abort: null, numb: null, end: null });
  return story.runs[epoch - 1] as Run;
}

/** Takes in what a client said. */
export function takeClient(story: TaskStory, entry: ClientEntry): void {
  const { pid, step } = entry;
  if (step === 'invoke') {
    story.asked ??= entry.asked ?? {};
    story.n ??= entry.n;
    story.waiting.push(pid);
    return;
  }
  const call = story.waiting.indexOf(pid);
  if (call >= 0) story.waiting.splice(call, 1);
  if (step === 'ok') story.isAccepted = true;
  else if (step === 'info') story.isUnsure = true;
  else story.isRefused = true;
}

/** Takes in what a handler said. */
export function takeEffect(story: TaskStory, effect: Effect): void {
  const run = runOf(story, effect.epoch);
  if (effect.what === 'step' || effect.what === 'kept') {
    story.steps ??= [];
    story.steps.push(effect);
  } else if (effect.what === 'spawn') {
    story.spawned ??= [];
    story.spawned.push(effect);
  } else if (effect.what === 'begin') {
    if (run.begin === null) run.begin = effect;
    else run.again ??= effect;
  } else if (run.begin !== null) run[effect.what] ??= effect;
}

/** What else the judge knows of a change. */
export interface Known {
  /** What an update that made this version did to the time: a new delay, `null` for nothing, `undefined` when unknown. */
  readonly patchedDelayMs: number | null | undefined;
  /** Whether it may have taken the place, and the earlier time, of a task that was replaced in the same step. */
  readonly mayInherit: boolean;
  /** It was not done before this: the latest time of all that came before. */
  readonly notBeforeAt: number;
}

export type Says = (rule: Rule, sentence: string) => void;

/** Takes one change into the story and tells what it breaks. */
export function replay(story: TaskStory, event: BatchEvent, item: EventItem, known: Known, says: Says): void {
  const { kind } = event;
  if (item.from !== story.state) says('S7', `it was ${story.state}`);
  if (item.version !== story.version + 1) says('S18', `version ${item.version} follows ${story.version}`);
  if (!isMove(event, item)) says('S7', 'there is no such transition');
  if (kind === 'enqueue') enqueued(story, event, known, says);
  else if (kind === 'claim') claimed(story, event, item, { known, says });
  else if (kind === 'update') {
    if (known.patchedDelayMs !== null) story.notBefore = event.at + (known.patchedDelayMs ?? 0);
  } else if (kind === 'cancelRequest') story.cancelRequested = true;
  else if (kind === 'retry') retried(story, event);
  else if ((kind === 'settle' || kind === 'judge') && item.from === 'running') ended(story, event, kind, item, says);
  else if (kind === 'prune') checkKept(story, event, says);
  if (item.to !== null && isFinished(item.to)) finished(story, event, item.to, says);
  story.state = item.to;
  story.version = item.version;
  story.attempt = item.attempt;
  if (item.to === null) {
    story.removed = true;
    story.version = 0;
  }
}

export function checkKept({ keptUntil }: TaskStory, { at }: BatchEvent, says: Says): void {
  if (at < keptUntil) says('S22', `${keptUntil - at} ms before the end of its retention`);
}

/** A task that its live store had forgotten comes back from the record, as it ended: another generation may begin with it. */
export function checkBroughtBack({ state, version }: TaskStory, { to, version: back }: EventItem, says: Says): void {
  if (to !== state || back !== version)
    says('S18', `brought back as ${to} with version ${back}, it was ${state} with ${version}`);
}

function isMove(event: BatchEvent, item: EventItem): boolean {
  if (event.kind === 'configure' || event.kind === 'control' || event.kind === 'fire') return false;
  if (event.kind === 'cancelRequest') return item.from === 'running' && item.to === 'running';
  if (event.kind === 'update' && item.from === item.to) return true;
  return isLegal(event.kind, item.from, item.to);
}

function enqueued(story: TaskStory, event: BatchEvent, known: Known, says: Says): void {
  if (story.removed) {
    story.runs.length = 0;
    story.steps = null;
    Object.assign(story, unheardOf, { removed: false, reborn: true });
  }
  story.enqueues += 1;
  if (story.enqueues > 1) says('S1', 'it was accepted twice');
  story.createdAt = event.at;
  const { asked } = story;
  const dueAt = asked?.at ?? event.at + (asked?.delayMs ?? 0);
  story.notBefore = asked?.ifExists === 'replace' && known.mayInherit ? event.at : dueAt;
}

interface Claim {
  readonly known: Known;
  readonly says: Says;
}

function claimed(story: TaskStory, event: BatchEvent, item: EventItem, { known, says }: Claim): void {
  const { asked } = story;
  const early = story.notBefore - Math.max(event.at, known.notBeforeAt);
  if (early > 0) says(story.notBeforeRule, `${early} ms too early`);
  if (story.generation === 1 && asked?.expiresInMs != null && event.at >= story.createdAt + asked.expiresInMs)
    says('S9', 'its life was over');
  if (item.attempt !== story.attempt + 1) says('S8', `attempt ${item.attempt} follows ${story.attempt}`);
  if (story.claims > 0 && story.runs[story.claims - 1]?.ended === null) says('S3', 'the claim before has not ended');
  story.claims += 1;
  runOf(story, story.claims).isClaimed = true;
}

function ended(story: TaskStory, event: BatchEvent, kind: 'settle' | 'judge', item: EventItem, says: Says): void {
  const run = story.runs[story.claims - 1];
  if (run !== undefined) run.ended = { kind, to: item.to, reason: item.reason };
  const policy = policyOf(story);
  const isCharged = item.attempt === story.attempt;
  if (!isCharged && item.attempt !== story.attempt - 1) says('S8', `attempt ${item.attempt} after ${story.attempt}`);
  const wanted = chargeOf(story, item);
  if (wanted !== null && wanted !== isCharged)
    says('S8', `${item.reason ?? item.to} ${wanted ? 'costs' : 'does not cost'} an attempt`);
  if (item.attempt > policy.attempts) says('S8', `${item.attempt} attempts where ${policy.attempts} are allowed`);
  checkCancel(story, item, says);
  if (item.reason === 'crash_loop' && story.lost < limits.crashesMax - 1)
    says('S8', `quarantined after ${story.lost} lost leases`);
  if (item.reason === 'lease_lost' || item.reason === 'crashed') story.lost += 1;
  if (item.reason === 'released') story.released += 1;
  if (item.to !== 'scheduled') return;
  // Chance only lengthens the shortest delay the policy allows.
  const isRetry = item.reason === 'error' || item.reason === 'timeout';
  story.notBefore = event.at + (isRetry ? backoffMs(policy, item.attempt, 0) : 0);
  story.notBeforeRule = 'S10';
}

function policyOf({ asked }: TaskStory): Policy {
  return asked?.policy === undefined ? defaultPolicy : parsePolicy(asked.policy);
}

/** Once its end was asked for, a run can only end for good: as cancelled, or as the success it had become. */
function checkCancel(story: TaskStory, item: EventItem, says: Says): void {
  if (!story.cancelRequested || item.to === 'cancelled') return;
  if (item.to !== 'succeeded' || story.asked?.strictCancel === true) says('S15', 'its cancellation was requested');
}

/** Whether the end of a run must cost an attempt; `null` where it depends on more than the event tells. */
function chargeOf(story: TaskStory, { to, reason }: EventItem): boolean | null {
  if (to === 'succeeded') return true;
  if (reason === 'error' || reason === 'timeout') return true;
  if (reason === 'crashed' || reason === 'crash_loop') return false;
  if (reason === 'snooze' || reason === 'unknown_task') return false;
  // Free until a task was interrupted too often.
  const isFree = reason === 'lease_lost' || reason === 'released';
  return isFree && story.lost + story.released < limits.interruptionsMax ? false : null;
}

function finished(story: TaskStory, event: BatchEvent, to: FinishedState, says: Says): void {
  noteEnd(story.ended, to);
  if (++story.ends > 1) says('S5', `it has ended ${story.ends} times`);
  if (story.asked?.policy === undefined) return;
  const { keepSucceededMs, keepFailedMs } = policyOf(story);
  // A cancelled task is kept as the task says, or as the verdict did that came too late.
  const cancelledMs = Math.min(keepSucceededMs, keepFailedMs, story.asked.keepMs ?? keepFailedMs);
  story.keptUntil = event.at + { succeeded: keepSucceededMs, failed: keepFailedMs, cancelled: cancelledMs }[to];
}

function retried(story: TaskStory, event: BatchEvent): void {
  story.ends = 0;
  story.generation += 1;
  story.notBefore = event.at;
  story.notBeforeRule = 'S9';
  story.cancelRequested = false;
  story.lost = 0;
  story.released = 0;
}
