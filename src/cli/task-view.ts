/** How tasks look in lists and alone. */

import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { preview } from '../core/preview.ts';
import { systemClock } from '../core/time.ts';
import type {
  ListedTaskDocument,
  RelativeDocument,
  TaskRecordDocument,
  TaskSummaryDocument,
} from '../operations/task-document.ts';
import { jsonText, type View } from './output.ts';
import { type Field, fieldLines } from './table.ts';
import { glyphOf, mark, paint, type Terminal } from './terminal.ts';
import { clockTime, durationWords, relativeTime } from './times.ts';

/** Enough of an id to be unique among the tasks of a page, and to type. */
export const shortIdLength = 16;

/** The list of tasks. */
export const taskView: View<ListedTaskDocument> = {
  id: (task) => task.id,
  columns: [
    {
      title: 'State',
      text: (task, terminal) => `${glyphOf(terminal, task.view)} ${task.view}`,
      raw: (task) => task.view,
      style: (task) => task.view,
    },
    { title: 'Task', text: (task) => task.name, style: () => 'bold', cutTo: 12 },
    { title: 'Id', text: (task) => task.id.slice(0, shortIdLength), raw: (task) => task.id },
    { title: 'Queue', text: (task) => task.queue, cutTo: 7, isSpare: true },
    { title: 'Attempt', align: 'right', text: (task) => String(task.attempt), isSpare: true },
    {
      title: 'Took',
      align: 'right',
      isSpare: true,
      text: (task) => (task.tookMs === null ? '' : durationWords(task.tookMs)),
      raw: (task) => String(task.tookMs ?? ''),
    },
    {
      title: 'When',
      align: 'right',
      text: (task) => relativeTime(Date.parse(whenOf(task)), systemClock.now()),
      raw: whenOf,
      style: () => 'muted',
    },
    { title: 'Error or input', cutTo: 4, text: lastWords, style: (task) => (task.error === null ? 'muted' : null) },
  ],
};

/** The time a task came to its state, or will leave it. */
function whenOf(task: TaskSummaryDocument): string {
  if (task.finishedAt !== null) return task.finishedAt;
  if (task.state === 'running') return task.startedAt ?? task.claimedAt ?? task.dueAt;
  return task.state === 'scheduled' ? task.dueAt : task.createdAt;
}

function lastWords(task: ListedTaskDocument): string {
  return task.error === null ? task.preview : task.error.message;
}

/** One task with its runs and timeline; `why` says why it waits. */
export function taskLines(terminal: Terminal, task: TaskRecordDocument, why: string | null): string[] {
  const head = `${glyphOf(terminal, task.view)} ${task.view}`;
  const dot = mark(terminal, 'dot');
  const fields = taskFields(task, why);
  if (!terminal.isPerson)
    return fieldLines(terminal, [
      { label: 'state', text: task.view },
      { label: 'name', text: task.name },
      { label: 'id', text: task.id },
      { label: 'queue', text: task.queue },
      ...fields,
    ]);
  return [
    `${paint(terminal, head, task.view)}   ${paint(terminal, task.name, 'bold')}   ${task.id}   ${paint(terminal, `queue ${task.queue} ${dot} priority ${task.priority}`, 'muted')}`,
    ...fieldLines(terminal, fields),
    ...runLines(terminal, task),
    // The runs have told of the attempts already.
    ...task.timeline
      .filter((entry) => entry.kind !== 'attempt')
      .map(
        (entry) =>
          `  ${paint(terminal, clockTime(Date.parse(entry.at)), 'muted')}   ${preview(entry.text, terminal.width - 14)}`,
      ),
  ];
}

function taskFields(task: TaskRecordDocument, why: string | null): Field[] {
  const time = (at: string | null): Pick<Field, 'text' | 'raw'> => ({
    text: at === null ? null : `${clockTime(Date.parse(at))} (${relativeTime(Date.parse(at), systemClock.now())})`,
    raw: at ?? '',
  });
  const set = (text: string | null): Pick<Field, 'text' | 'raw'> => ({
    text: text === '' ? null : text,
    raw: text ?? '',
  });
  return [
    { label: 'Why', ...set(why) },
    { label: 'Reason', ...set(task.reason === 'error' ? null : task.reason) },
    {
      label: 'Error',
      ...set(task.error === null ? null : `${task.error.name}: ${task.error.message}`),
      style: 'failed',
    },
    {
      label: 'Attempt',
      text: `${task.attempt} of ${task.attempts}${task.generation > 1 ? `, generation ${task.generation}` : ''}`,
      raw: `${task.attempt}/${task.attempts}`,
    },
    { label: 'Crashes', ...set(task.crashes === 0 ? null : `${task.crashes} of ${limits.crashesMax}`) },
    { label: 'Progress', ...set(progressText(task)) },
    { label: 'Steps', ...set(stepsText(task)) },
    { label: 'Created', ...time(task.createdAt) },
    { label: 'Due', ...(task.state === 'scheduled' ? time(task.dueAt) : { text: null, raw: task.dueAt }) },
    { label: 'Started', ...time(task.startedAt) },
    { label: 'Finished', ...time(task.finishedAt) },
    { label: 'Took', text: task.tookMs === null ? null : formatDuration(task.tookMs), raw: String(task.tookMs ?? '') },
    { label: 'Worker', ...set(task.workerName ?? task.worker) },
    { label: 'Group', ...set(task.group) },
    { label: 'Key', ...set(task.key) },
    { label: 'Schedule', ...set(task.schedule && `${task.schedule.name} for ${task.schedule.at}`) },
    { label: 'Tags', ...set(task.tags.join(', ')) },
    {
      label: 'Flow',
      ...set(task.flow === task.id ? `stands for one: taskflow task list --filter flow:${task.id}` : task.flow),
    },
    { label: 'Parents', ...set(relativesText(task.parents)) },
    { label: 'Children', ...set(relativesText(task.children)) },
    { label: 'Input', text: jsonText(task.input) },
    { label: 'Result', ...set(task.state === 'succeeded' ? jsonText(task.result) : null) },
  ];
}

function progressText({ progress }: TaskSummaryDocument): string | null {
  if (progress === null) return null;
  const done =
    progress.total === null || progress.total === 0
      ? String(progress.done)
      : `${progress.done} of ${progress.total} (${Math.floor((progress.done / progress.total) * 100)} %)`;
  return progress.note === null ? done : `${done}   ${progress.note}`;
}

/** Their names; `--json` has the values. */
function stepsText({ steps }: TaskRecordDocument): string | null {
  return steps.length === 0 ? null : `${steps.length} done: ${steps.map(({ name }) => name).join(', ')}`;
}

/** As many as a person reads; `--json` has more. */
const relativesTold = 5;

function relativesText(relatives: readonly RelativeDocument[]): string {
  const told = relatives
    .slice(0, relativesTold)
    .map(
      ({ id, name, state }) => `${name ?? 'gone'} ${id.slice(0, shortIdLength)}${state === null ? '' : ` ${state}`}`,
    );
  const more = relatives.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

function runLines(terminal: Terminal, task: TaskRecordDocument): string[] {
  return task.runs.map((run) => {
    const took = run.startedAt === null ? '' : formatDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt));
    const words = run.error === null ? (run.reason ?? run.to) : `${run.error.name}: ${run.error.message}`;
    return `  ${paint(terminal, clockTime(Date.parse(run.endedAt)), 'muted')}   attempt ${run.attempt} ${took} ${preview(words, Math.max(20, terminal.width - 36))}`;
  });
}
