/** The judge of a history: one book for each promise, and a story for each task that is remembered. */

import { invariant } from '../core/assert.ts';
import type { BatchEvent, EventItem } from '../core/events.ts';
import { isFinished, type TaskState } from '../core/states.ts';
import type { Task } from '../core/task.ts';
import { createCensus } from './census.ts';
import type { ClientEntry, Effect, KeyRefusal, PatchEntry, ProcessEntry, SettingEntry } from './evidence.ts';
import { checkParents, checkSpawned } from './families.ts';
import type { Judge, JudgeOptions, Remains } from './judge.ts';
import { createKeyBook, type KeyBook } from './keys.ts';
import { createLimitBook, type LimitBook } from './limits.ts';
import { contextMax, eventLine, lineOf } from './lines.ts';
import { createMarks } from './marks.ts';
import { createPauseBook, type PauseBook } from './pauses.ts';
import { createProcessBook } from './processes.ts';
import { checkRow } from './rows.ts';
import { checkRuns } from './runs.ts';
import { checkSteps } from './steps.ts';
import {
  checkBroughtBack,
  checkKept,
  createStory,
  type Line,
  replay,
  type Says,
  type TaskStory,
  takeClient,
  takeEffect,
} from './story.ts';
import { createTurnBook, type TurnBook } from './turns.ts';
import type { Rule, Tell, Verdict, Violation } from './verdict.ts';

/** Violations that are kept with their words. */
const violationsMax = 100;
/** Things remembered of one task. */
const trailMax = 2 * contextMax;
/** A claim whose handler was never heard of may still begin, in a process that stood still: so long. */
const limboMs = 120_000;

export class HistoryJudge implements Judge {
  readonly #forgets: boolean;
  readonly #toldWithinMs: number;
  readonly #overlapMs: number;
  readonly #isRecord: boolean;
  readonly #stories = new Map<string, TaskStory>();
  /** Gone from the store, and since when, but somebody may still speak of them. */
  readonly #leaving = new Map<TaskStory, number>();
  /** Requests of which a task was stored, and those whose task was forgotten. */
  readonly #stored = createMarks();
  readonly #forgotten = createMarks();
  readonly #rows = new Set<string>();
  readonly #processes = createProcessBook();
  readonly #census = createCensus();
  readonly #keys: KeyBook;
  readonly #limits: LimitBook;
  readonly #pauses: PauseBook;
  readonly #turns: TurnBook;
  readonly #settings: SettingEntry[] = [];
  readonly #refusals: KeyRefusal[] = [];
  readonly #patches = new Map<string, PatchEntry>();
  readonly #recent: BatchEvent[] = [];
  readonly #violations: Violation[] = [];
  #context: readonly string[] = [];
  #broken = 0;
  readonly #brokenBy: Partial<Record<Rule, number>> = {};
  #open = 0;
  /** The next event tells whether a task of this one took the place of another. */
  #held: BatchEvent | null = null;
  #seq = 0;
  #at = 0;

  constructor({ forgets = true, toldWithinMs = 0, overlapMs = 0, isRecord = false }: JudgeOptions) {
    this.#forgets = forgets;
    this.#isRecord = isRecord;
    this.#toldWithinMs = toldWithinMs;
    this.#overlapMs = overlapMs;
    this.#keys = createKeyBook(this.tell, overlapMs);
    this.#limits = createLimitBook(this.tell);
    this.#pauses = createPauseBook(this.tell, overlapMs);
    this.#turns = createTurnBook(this.tell, overlapMs);
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#census.counts;
  }

  get remembered(): number {
    return this.#stories.size;
  }

  get open(): number {
    return this.#open;
  }

  openIds(limit: number): readonly string[] {
    const ids: string[] = [];
    for (const { taskId, state } of this.#stories.values()) {
      if (ids.length >= limit) break;
      if (isOpen(state)) ids.push(taskId);
    }
    return ids;
  }

  get broken(): number {
    return this.#broken;
  }

  readonly tell: Tell = (rule, taskId, sentence) => {
    if (this.#broken++ === 0) this.#context = this.#contextOf(taskId);
    this.#brokenBy[rule] = (this.#brokenBy[rule] ?? 0) + 1;
    if (this.#violations.length < violationsMax) this.#violations.push({ rule, taskId, sentence });
  };

  event(event: BatchEvent): void {
    if (this.#isRecord && event.kind === 'prune') {
      for (const item of event.items) this.#takeForgotten(event, item);
      return;
    }
    this.#takeHeld(event);
    this.#held = event;
  }

  client(entry: ClientEntry): void {
    if (this.#isForgotten(entry)) return;
    const story = this.#storyOf(entry.taskId);
    remember(story, entry);
    this.#census.client(entry);
    takeClient(story, entry);
  }

  effect(effect: Effect): void {
    if (this.#isForgotten(effect)) {
      if (effect.what === 'begin')
        this.tell('S4', effect.taskId, `epoch ${effect.epoch} began after the task was gone`);
      return;
    }
    const story = this.#storyOf(effect.taskId);
    remember(story, effect);
    this.#census.effect(effect);
    takeEffect(story, effect);
    if (effect.child !== undefined) this.#ask(effect.child);
  }

  /** A run asks for it; whether it comes to be depends on how that run ends. */
  #ask({ taskId, n, asked }: NonNullable<Effect['child']>): void {
    const story = this.#storyOf(taskId);
    story.n ??= n;
    story.asked ??= asked;
    story.isSpawned = true;
  }

  process(entry: ProcessEntry): void {
    this.#processes.take(entry);
  }

  setting(entry: SettingEntry): void {
    this.#settings.push(entry);
  }

  patch(entry: PatchEntry): void {
    this.#patches.set(patchName(entry), entry);
  }

  refusal(entry: KeyRefusal): void {
    this.#refusals.push(entry);
  }

  sweep(): void {
    this.#takeHeld(null);
    for (const [story, since] of this.#leaving) {
      const isQuiet = story.runs.every(({ begin, end }) => begin === null || end !== null);
      if ((isQuiet && this.#at - since > limboMs) || (story.outAt === null && this.#canForget(story)))
        this.#forget(story);
    }
  }

  row(task: Task): void {
    invariant(!this.#rows.has(task.id), 'each row is shown once');
    this.#rows.add(task.id);
    this.#takeHeld(null);
    checkRow(task, this.#stories.get(task.id), this.tell);
  }

  finish({ heldKeys, doubts: given = [] }: Remains = {}): Verdict {
    this.#takeHeld(null);
    for (const refusal of this.#refusals.splice(0)) this.#keys.refused(refusal);
    this.#keys.end(heldKeys);
    for (const story of this.#stories.values()) {
      this.#fold(story);
      if (story.enqueues > 0 && !story.removed) this.#checkEnd(story);
    }
    const { accepted = 0, runs = 0 } = this.counts;
    const doubts = [
      ...given,
      ...(accepted === 0 ? ['nothing was accepted'] : []),
      ...(runs === 0 ? ['nothing ran'] : []),
    ];
    const result = this.#broken > 0 ? 'invalid' : doubts.length > 0 ? 'unknown' : 'valid';
    const [violations, context] = [this.#violations, this.#context];
    const { counts, kinds, waits } = this.#census;
    const brokenBy = this.#brokenBy;
    return { result, violations, broken: this.#broken, brokenBy, context, doubts, counts, kinds, waits };
  }

  #isForgotten({ n, taskId }: ClientEntry | Effect): boolean {
    return this.#forgotten.has(n) && !this.#stories.has(taskId);
  }

  #storyOf(taskId: string): TaskStory {
    let story = this.#stories.get(taskId);
    if (story === undefined) {
      story = createStory(taskId);
      this.#stories.set(taskId, story);
    }
    return story;
  }

  #saysOf(story: TaskStory): Says {
    return (rule, sentence) => this.tell(rule, story.taskId, sentence);
  }

  #contextOf(taskId: string | null): readonly string[] {
    const trail = taskId === null ? undefined : this.#stories.get(taskId)?.trail;
    return trail === undefined ? this.#recent.map(eventLine) : trail.slice(-contextMax).map(lineOf);
  }

  #takeHeld(following: BatchEvent | null): void {
    const event = this.#held;
    this.#held = null;
    if (event !== null) this.#takeEvent(event, following);
  }

  #takeEvent(event: BatchEvent, following: BatchEvent | null): void {
    const { seq, at } = event;
    if (seq <= this.#seq || at < this.#at - this.#overlapMs)
      this.tell('S18', null, `event ${seq} at ${at} after ${this.#seq} at ${this.#at}`);
    this.#seq = seq;
    this.#at = Math.max(this.#at, at);
    this.#recent.push(event);
    if (this.#recent.length > contextMax) this.#recent.shift();
    for (const refusal of takeWhile(this.#refusals, (one) => one.seq < seq)) this.#keys.refused(refusal);
    for (const setting of takeWhile(this.#settings, (one) => one.seq <= seq)) {
      this.#pauses.configured(setting, at);
      this.#limits.configured(setting);
      this.#turns.configured(setting);
    }
    this.#keys.begin(event);
    // Where steps overlap, it may follow behind events of others.
    const mayInherit = this.#overlapMs > 0 || (following?.kind === 'replace' && following.at === at);
    for (const item of event.items) this.#takeItem(event, item, mayInherit);
  }

  /** The record forgets a task, maybe before it hears how that came to its end, or that it goes on. */
  #takeForgotten(event: BatchEvent, item: EventItem): void {
    const story = this.#storyOf(item.taskId);
    remember(story, { event, item });
    this.#census.event(event, item);
    checkKept(story, event, this.#saysOf(story));
    story.outAt = event.at;
    this.#leaving.set(story, event.at);
  }

  #takeItem(event: BatchEvent, item: EventItem, mayInherit: boolean): void {
    const story = this.#storyOf(item.taskId);
    remember(story, { event, item });
    if (story.outAt !== null && event.at > story.outAt) {
      story.outAt = null;
      this.#leaving.delete(story);
    }
    if (this.#isRecord && event.kind === 'restore' && story.enqueues > 0) {
      checkBroughtBack(story, item, this.#saysOf(story));
      return;
    }
    this.#open += Number(isOpen(item.to)) - Number(isOpen(story.state));
    const patch = event.kind === 'update' ? this.#takePatch(item) : undefined;
    if (patch?.limits !== undefined) story.edited = patch.limits;
    replay(
      story,
      event,
      item,
      { patchedDelayMs: patch?.delayMs, mayInherit, notBeforeAt: this.#at },
      (rule, sentence) =>
        this.tell(rule, story.taskId, `event ${event.seq}, ${event.kind} ${item.from} → ${item.to}: ${sentence}`),
    );
    this.#census.event(event, item);
    if (event.kind === 'enqueue') this.#noteRequest(story);
    if (event.kind === 'claim') this.#census.waited(event.at - story.queuedAt);
    if (item.to === 'queued') story.queuedAt = event.at;
    if (event.kind === 'claim') checkParents(story, (taskId) => this.#stories.get(taskId), this.#saysOf(story));
    const asked = story.edited === null ? story.asked : { ...story.asked, limits: story.edited };
    this.#keys.change(event, item, asked);
    this.#limits.change(event, item, asked?.limits);
    this.#pauses.change(event, item, asked);
    this.#turns.change(event, item, asked);
    if (item.to === null && this.#forgets) this.#leave(story);
  }

  /** A client asks once with one number, however often it repeats the call: one task at most may come of it. */
  #noteRequest({ n, taskId, reborn, asked, isSpawned }: TaskStory): void {
    this.#census.stored(asked, isSpawned);
    if (n === null || reborn) return;
    if (this.#stored.has(n)) this.tell('S1', taskId, `request ${n} was stored before, as another task`);
    this.#stored.add(n);
  }

  #takePatch(item: EventItem): PatchEntry | undefined {
    const name = patchName(item);
    const patch = this.#patches.get(name);
    this.#patches.delete(name);
    return patch;
  }

  #leave(story: TaskStory): void {
    if (this.#canForget(story)) this.#forget(story);
    else this.#leaving.set(story, this.#at);
  }

  #canForget({ waiting, runs }: TaskStory): boolean {
    if (waiting.some((pid) => !this.#processes.isGone(pid))) return false;
    return runs.every(
      ({ isClaimed, begin, end }) => end !== null || (isClaimed && begin !== null && this.#processes.isGone(begin.pid)),
    );
  }

  #forget(story: TaskStory): void {
    this.#fold(story);
    if (story.n !== null) this.#forgotten.add(story.n);
    this.#stories.delete(story.taskId);
    this.#leaving.delete(story);
  }

  /** Everything that can be said of a task only when nothing more comes. */
  #fold(story: TaskStory): void {
    const says = this.#saysOf(story);
    const { enqueues, isAccepted } = story;
    if (isAccepted && enqueues === 0) says('S1', 'it was accepted without an event of it');
    if (enqueues > 0 && story.n === null) says('S2', 'it is there and nobody asked for it');
    const isUnsure = story.isUnsure || story.waiting.length > 0;
    if (story.isRefused && !isAccepted && !isUnsure && enqueues > 0) says('S2', 'it was refused and is there');
    if (enqueues > 0 && !isAccepted && !story.isSpawned) this.#census.recovered();
    checkRuns(story, { processes: this.#processes, toldWithinMs: this.#toldWithinMs }, says);
    if (story.steps !== null && !story.reborn) checkSteps(story.steps, says);
    if (story.spawned !== null && !story.reborn) this.#foldSpawned(story, story.spawned);
  }

  #foldSpawned(story: TaskStory, spawned: readonly Effect[]): void {
    checkSpawned(spawned, story.runs, (n) => this.#stored.has(n), this.#saysOf(story));
    for (const { child } of spawned) {
      const never = child === undefined ? undefined : this.#stories.get(child.taskId);
      if (never?.enqueues === 0) this.#stories.delete(never.taskId);
    }
  }

  #checkEnd({ taskId, state, outAt }: TaskStory): void {
    if (!this.#rows.has(taskId) && outAt === null) this.tell('S1', taskId, 'it has events and is not there');
    else if (isOpen(state)) this.tell('L4', taskId, `it is ${state} after the drain`);
  }
}

function isOpen(state: TaskState | null): boolean {
  return state !== null && !isFinished(state);
}

function remember({ trail }: TaskStory, line: Line): void {
  trail.push(line);
  if (trail.length > trailMax) trail.shift();
}

/** Takes from the front what comes before a point. */
function takeWhile<Entry>(entries: Entry[], isBefore: (entry: Entry) => boolean): readonly Entry[] {
  if (entries[0] === undefined || !isBefore(entries[0])) return [];
  const end = entries.findIndex((entry) => !isBefore(entry));
  return entries.splice(0, end < 0 ? entries.length : end);
}

const patchName = ({ taskId, version }: Pick<EventItem, 'taskId' | 'version'>): string => `${taskId} ${version}`;
