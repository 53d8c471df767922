/** Tells what became of a task from its row: one sentence of where it stands, and the steps that led there. */
import { formatDuration } from './duration.ts';
import type { TimelineEntry } from './events.ts';
import type { Facts } from './facts.ts';
import { waitedMs } from './filter-match.ts';
import { limits } from './limits.ts';
import { parsePolicy } from './policy.ts';
import type { Task } from './task.ts';
import { isoTime } from './time.ts';

/** One sentence and the steps behind it, oldest first. */
export interface Story {
  readonly summary: string;
  readonly timeline: readonly TimelineEntry[];
}

/** Tells the story of a task at `facts.now`. A gate, when there is one, says better why a waiting task waits. */
export function story(facts: Pick<Facts, 'task' | 'now' | 'workers'>): Story {
  return { summary: summaryOf(facts), timeline: timelineOf(facts.task, facts.workers) };
}

function summaryOf({ task, now, workers }: Pick<Facts, 'task' | 'now' | 'workers'>): string {
  switch (task.state) {
    case 'blocked':
      return 'It waits for the tasks it depends on.';
    case 'scheduled':
    case 'queued':
      return 'Nothing holds it back: the next free slot takes it.';
    case 'running':
      return running(task, now, workerOf(task, workers));
    case 'succeeded':
      return `Succeeded${took(task)}${waited(task)}${tries(task)}.`;
    case 'failed':
      return failed(task);
    case 'cancelled':
      return cancelled(task);
  }
}

function running(task: Task, now: number, worker: string | null): string {
  const since = task.startedAt ?? task.claimedAt ?? now;
  const what = task.startedAt === null ? 'Taken' : 'Running';
  const where = `${what} by ${worker ?? 'an unknown worker'} for ${formatDuration(Math.max(0, now - since))}`;
  const attempt = `attempt ${task.attempt} of ${parsePolicy(task.policy).attempts}`;
  const lease =
    task.leaseUntil === null
      ? ''
      : task.leaseUntil > now
        ? `; its lease ends in ${formatDuration(task.leaseUntil - now)} unless renewed`
        : '; its lease has ended and it is about to be taken away';
  const cancel =
    task.cancelRequestedAt === null
      ? ''
      : `; its cancellation was requested ${formatDuration(Math.max(0, now - task.cancelRequestedAt))} ago`;
  const poison =
    task.crashes === 0
      ? ''
      : `; ${task.crashes} of ${limits.crashesMax} times the process that ran it died, so it runs in one of its own where its file is known`;
  return `${where}, ${attempt}${poison}${lease}${cancel}.`;
}

function failed(task: Task): string {
  const message = task.error === null ? '' : `: ${firstLine(task.error.message)}`;
  switch (task.reason) {
    case 'crash_loop':
      return `Quarantined: ${limits.crashesMax} times the process that ran it died${message}`;
    case 'dependency':
      return 'Failed: a task it depends on did not succeed.';
    case 'timeout':
      return `Timed out${tries(task)}${message}`;
    default:
      return `Failed${tries(task)}${message}`;
  }
}

function cancelled(task: Task): string {
  switch (task.reason) {
    case 'expired':
      // The start of a run that the engine ended is not kept; its attempt is.
      return task.startedAt === null && task.attempt === 0
        ? 'Expired: it was not started in time.'
        : 'Expired: it was not finished within its life.';
    case 'replaced':
      return 'Cancelled: a newer task with the same key replaced it.';
    case 'dependency':
      return 'Cancelled: a task it depends on did not succeed.';
    case 'skipped':
      return 'Skipped: its schedule was still busy with the task before it.';
    default:
      return `Cancelled${task.cancelReason === null ? ' on request' : reasonOf(task.cancelReason)}.`;
  }
}

/** The name people know it by, for as long as it is known. */
function workerOf(task: Task, workers: Facts['workers']): string | null {
  return workers.find((worker) => worker.workerId === task.workerId)?.name ?? task.workerId;
}

function timelineOf(task: Task, workers: Facts['workers']): TimelineEntry[] {
  const again = task.generation > 1 ? ` A person retried it; this is generation ${task.generation}.` : '';
  const entries: TimelineEntry[] = [{ at: task.createdAt, kind: 'created', text: `${enqueuedWords(task)}${again}` }];
  // What ended before its time was never due.
  if (task.dueAt > task.createdAt && (task.finishedAt === null || task.dueAt <= task.finishedAt))
    entries.push({
      at: task.dueAt,
      kind: 'due',
      text: task.claimedAt !== null && task.claimedAt < task.dueAt ? 'To be tried again.' : 'Due.',
    });
  if (task.claimedAt !== null) {
    const after = task.claimedAt > task.dueAt ? ` after waiting ${formatDuration(task.claimedAt - task.dueAt)}` : '';
    const text = `Taken by ${workerOf(task, workers) ?? 'a worker'}${after}.`;
    entries.push({ at: task.claimedAt, kind: 'claimed', text });
  }
  if (task.startedAt !== null)
    entries.push({ at: task.startedAt, kind: 'started', text: `Attempt ${task.attempt} began.` });
  if (task.cancelRequestedAt !== null)
    entries.push({
      at: task.cancelRequestedAt,
      kind: 'cancelRequested',
      text: `Its cancellation was requested${task.cancelReason === null ? '' : reasonOf(task.cancelReason)}.`,
    });
  if (task.finishedAt !== null)
    entries.push({
      at: task.finishedAt,
      kind: 'finished',
      text: summaryOf({ task, now: task.finishedAt, workers: [] }),
    });
  // Equal times keep the order above, which is the order of events.
  return entries.sort((a, b) => a.at - b.at);
}

/** Who enqueued it, as far as the task knows. */
export function enqueuedWords({ firedBy, createdAt }: Pick<Task, 'firedBy' | 'createdAt'>): string {
  if (firedBy === null) return 'Enqueued.';
  const late = createdAt - firedBy.at;
  const when = late < 1_000 ? '' : `, ${formatDuration(late)} after its time`;
  return `Enqueued by schedule ${firedBy.schedule} for ${isoTime(firedBy.at)}${when}.`;
}

/** `by ada` goes on with the sentence, what a person wrote stands for itself. */
function reasonOf(cancelReason: string): string {
  return `${cancelReason.startsWith('by ') ? ' ' : ': '}${firstLine(cancelReason)}`;
}

function took(task: Task): string {
  return task.startedAt === null || task.finishedAt === null
    ? ''
    : ` in ${formatDuration(task.finishedAt - task.startedAt)}`;
}

function waited(task: Task): string {
  const ms = waitedMs(task, task.finishedAt ?? task.dueAt);
  return ms === null || ms < 1 ? '' : ` after waiting ${formatDuration(ms)}`;
}

function tries(task: Task): string {
  if (task.state !== 'succeeded') return ` at attempt ${task.attempt} of ${parsePolicy(task.policy).attempts}`;
  return task.attempt > 1 ? `, at attempt ${task.attempt}` : '';
}

function firstLine(text: string): string {
  const line = text.split('\n', 1)[0] ?? '';
  return line.length <= 200 ? line : `${line.slice(0, 199)}…`;
}
