/** Tells what happened to a task: its row, its ended runs and what people did, as sentences in order. */

import { formatDuration } from '../core/duration.ts';
import type { Attempt, TimelineEntry } from '../core/events.ts';
import { isFinished } from '../core/states.ts';
import { enqueuedWords, story } from '../core/story.ts';
import type { Task } from '../core/task.ts';

/** The whole timeline, oldest first. A waiting task's due time may lie ahead. Equal times keep the order of events. */
export function timelineOf(
  task: Task,
  attempts: readonly Attempt[],
  notes: readonly TimelineEntry[],
): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = [{ at: task.createdAt, kind: 'created', text: enqueuedWords(task) }];
  for (const attempt of attempts) entries.push(...entriesOf(attempt, task));
  entries.push(...notes.map(({ at, kind, text }) => ({ at, kind, text: /[.!?]$/.test(text) ? text : `${text}.` })));
  entries.push(...lastRun(task, attempts));
  if (task.cancelRequestedAt !== null) {
    const words = task.cancelReason === null ? '' : ` ${firstLine(task.cancelReason)}`;
    entries.push({
      at: task.cancelRequestedAt,
      kind: 'cancelRequested',
      text: `Its cancellation was requested${words}.`,
    });
  }
  if (isDueWorthTelling(task, entries)) {
    const text = task.attempt > 0 && task.state === 'scheduled' ? 'To be tried again.' : 'Due.';
    entries.push({ at: task.dueAt, kind: 'due', text });
  }
  entries.sort((left, right) => left.at - right.at);
  if (task.finishedAt !== null) {
    entries.push({
      at: task.finishedAt,
      kind: 'finished',
      text: story({ task, now: task.finishedAt, workers: [] }).summary,
    });
  }
  return entries;
}

/** Due at the moment of something else that is told says nothing new, and what ended before its time was never due. */
function isDueWorthTelling(task: Task, entries: readonly TimelineEntry[]): boolean {
  if (task.finishedAt !== null && task.finishedAt < task.dueAt) return false;
  return task.dueAt > task.createdAt && !entries.some(({ at, kind }) => at === task.dueAt && kind !== 'claimed');
}

/** The run the row tells: the one that runs, or the last one when it left no row of its own. */
function lastRun(task: Task, attempts: readonly Attempt[]): readonly TimelineEntry[] {
  const { claimedAt, epoch, attempt, workerId, startedAt, dueAt } = task;
  if (claimedAt === null || attempts.some((each) => each.epoch === epoch)) return [];
  const waitedMs = claimedAt - dueAt;
  return begun(
    { claimedAt, attempt, workerId, startedAt },
    waitedMs > 0 ? ` after waiting ${formatDuration(waitedMs)}` : '',
  );
}

function entriesOf(run: Attempt, task: Task): readonly TimelineEntry[] {
  const entries = begun(run, '');
  // The last one is told by how the task finished.
  if (isFinished(task.state) && run.epoch === task.epoch && task.finishedAt === run.endedAt) return entries;
  return [...entries, { at: run.endedAt, kind: run.reason ?? 'ended', text: `${endOf(run)}${whatThen(run)}.` }];
}

function begun(
  run: Pick<Attempt, 'claimedAt' | 'startedAt' | 'attempt' | 'workerId'>,
  after: string,
): readonly TimelineEntry[] {
  const claimed = { at: run.claimedAt, kind: 'claimed', text: `Taken by ${run.workerId ?? 'a worker'}${after}.` };
  if (run.startedAt === null) return [claimed];
  return [claimed, { at: run.startedAt, kind: 'started', text: `Attempt ${run.attempt} began.` }];
}

function endOf({ attempt, reason, error, workerId }: Attempt): string {
  const message = error === null ? '' : `: ${firstLine(error.message)}`;
  switch (reason) {
    case 'timeout':
      return `Attempt ${attempt} ran out of time`;
    case 'lease_lost':
      return `Attempt ${attempt} lost its lease: ${workerId ?? 'its worker'} fell silent`;
    case 'crashed':
      return `Attempt ${attempt} ended its process${message}`;
    case 'crash_loop':
      return `The process of attempt ${attempt} died, and not for the first time${message}`;
    case 'snooze':
      return `Attempt ${attempt} went to sleep`;
    case 'released':
      return `Handed back by ${workerId ?? 'its worker'}`;
    case 'unknown_task':
      return `Sent back: ${workerId ?? 'its worker'} knows no task of this name`;
    case 'user':
      return `Attempt ${attempt} was cancelled`;
    case 'expired':
      return `The task's life ended during attempt ${attempt}`;
    default:
      return `Attempt ${attempt} ${error === null ? 'ended' : 'failed'}${message}`;
  }
}

function whatThen({ to }: Attempt): string {
  if (to === 'scheduled') return '; it waits to be tried again';
  return to === 'queued' ? '; it is queued again' : '';
}

/** Without a full stop at its end: the sentence it comes into has one. */
function firstLine(text: string): string {
  const line = (text.split('\n', 1)[0] ?? '').replace(/\.$/, '');
  return line.length <= 200 ? line : `${line.slice(0, 199)}…`;
}
