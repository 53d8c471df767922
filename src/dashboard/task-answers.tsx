/** The answers of the pages of tasks: the list, what is done with a selection, one task, and a form that runs one. */

import { readJsonText } from '../api/body.ts';
import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type ErrorDocument, errorGet } from '../operations/error.ts';
import { errorMark } from '../operations/error-mark.ts';
import type { ManyDocument } from '../operations/many-document.ts';
import { type OperationContext, perform } from '../operations/operation.ts';
import { taskEnqueue, taskExplain, taskGet, taskList, taskLogs, taskRemove } from '../operations/task.ts';
import { taskUpdateMany } from '../operations/task-batch.ts';
import type { TaskRecordDocument } from '../operations/task-document.ts';
import { taskReveal } from '../operations/task-reveal.ts';
import { backOf, busyMs, frameOf, html, type PageOptions, reaches, seeOther, type Visit } from './frame.tsx';
import { readCounts, readNow, readWorkers, topicsFor } from './reach.ts';
import { readColumns } from './task-columns.ts';
import { TaskPage } from './task-page.tsx';
import { firstPage, type TaskQuery } from './task-rows.tsx';
import { Tasks } from './tasks.tsx';
import { type Begun, beginUndoable, begunQuery, type UndoableVerb } from './undoable.ts';

/** Tasks on a page of the list. */
const listMax = 50;

export async function answerTasks(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const [counts, query, error] = await Promise.all([
    readCounts(context),
    findTasks(visit, context),
    findError(visit, context),
  ]);
  const frame = frameOf(visit, options, Date.parse(counts.now), { topics: topicsFor(context) });
  const may = { operate: reaches(context, 'operator'), remove: reaches(context, taskRemove.role) };
  const page = (
    <Tasks
      frame={frame}
      counts={counts}
      query={query}
      error={error}
      columns={readColumns(visit.choices.columns)}
      may={may}
    />
  );
  return html(page, 'code' in query.answer ? 400 : 200);
}

/** Where the list is of one kind of failures, that. */
async function findError({ query: { q = '' } }: Visit, context: OperationContext): Promise<ErrorDocument | null> {
  const fingerprint = /(?:^|\s)err:(\w{1,64})(?:\s|$)/.exec(q)?.[1];
  if (fingerprint === undefined) return null;
  try {
    return await perform(errorGet, context, { fingerprint });
  } catch (error) {
    // None of its tasks is there any more, or only the beginning of it was given.
    if (error instanceof TaskFlowError && error.code === 'ERROR_NOT_FOUND') return null;
    throw error;
  }
}

/** Says of a kind of failures what the form says, and leads back. */
export async function answerMark(visit: Visit, context: OperationContext): Promise<Response> {
  const { back: _back, ...said } = visit.form;
  await perform(errorMark, context, { ...said, ...visit.params });
  return seeOther(visit, backOf(visit.form));
}

/** A filter with a mistake is an answer too: the page shows the box with what was typed, and where it is wrong. */
async function findTasks({ query }: Visit, context: OperationContext): Promise<TaskQuery> {
  const { q = '', after, trail = '' } = query;
  const known = trail.split('.').filter((cursor) => cursor === firstPage || /^\w{26}$/.test(cursor));
  const shown = { q, after: after ?? null, trail: after === undefined ? [] : known };
  const startedAt = context.clock.elapsed();
  try {
    const answer = await perform(taskList, context, {
      limit: listMax,
      ...(q === '' ? {} : { q }),
      ...(after === undefined ? {} : { after }),
    });
    return { ...shown, answer, tookMs: context.clock.elapsed() - startedAt };
  } catch (error) {
    if (error instanceof TaskFlowError && error.status === 400)
      return { ...shown, answer: error.toJSON(), tookMs: context.clock.elapsed() - startedAt };
    throw error;
  }
}

type Fields = Readonly<Record<string, string>>;

/** What may be done with a selection at once; the rest begins after a time to undo it. */
const atOnce: Readonly<
  Record<
    string,
    ((context: OperationContext, ids: readonly string[], form: Fields) => Promise<ManyDocument>) | undefined
  >
> = {
  run: (context, ids) => perform(taskUpdateMany, context, { ids, delay: 0 }),
  move: (context, ids, { queue }) => perform(taskUpdateMany, context, { ids, queue }),
  priority: (context, ids, { priority }) => perform(taskUpdateMany, context, { ids, priority }),
};
const undoable: ReadonlySet<string> = new Set(['retry', 'cancel', 'remove']);

/** A task that has gone on meanwhile does not keep the others: it is counted. With `all` it is about what the filter finds, which is asked first. */
export async function answerSelected(visit: Visit, context: OperationContext): Promise<Response> {
  const { action = '', q = '', all, ...form } = visit.form;
  const run = Object.hasOwn(atOnce, action) ? atOnce[action] : undefined;
  if (run === undefined && !undoable.has(action))
    throw taskFlowError('INVALID_OPTION', {
      what: 'action',
      problem: `it is one of ${[...undoable, ...Object.keys(atOnce)].join(', ')}`,
    });
  if (all === 'yes' && q !== '') return seeOther(visit, `tasks/matching?${matchingQuery(action, q, form)}`);
  const ids = Object.keys(form).flatMap((name) => (name.startsWith('task.') ? [name.slice('task.'.length)] : []));
  const begun =
    run === undefined
      ? await beginUndoable(context, action as UndoableVerb, ids)
      : await doNow(run, context, ids, form);
  const query = new URLSearchParams({ ...(q === '' ? {} : { q }), ...begunQuery(action, begun) });
  return seeOther(visit, `tasks?${query}`);
}

function matchingQuery(action: string, q: string, { queue, priority }: Fields): URLSearchParams {
  const change = action === 'move' ? { queue: queue ?? '' } : action === 'priority' ? { priority: priority ?? '' } : {};
  return new URLSearchParams({ action, q, ...change });
}

async function doNow(
  run: NonNullable<(typeof atOnce)[string]>,
  context: OperationContext,
  ids: readonly string[],
  form: Fields,
): Promise<Begun> {
  const done = ids.length === 0 ? 0 : (await run(context, ids, form)).done;
  return { done, not: ids.length - done, undo: null };
}

export async function answerTask(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { id } = visit.params;
  return html(
    await taskPage(visit, context, options, { reading: perform(taskGet, context, { id }), isRevealed: false }),
  );
}

/** The same page with what is hidden, as the answer to a form: its address shows it to nobody, and nothing of it is asked for again. */
export async function answerReveal(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { id } = visit.params;
  // The audit has it before anything else is read.
  const task = await perform(taskReveal, context, { id });
  return html(await taskPage(visit, context, options, { reading: Promise.resolve(task), isRevealed: true }));
}

interface TaskShown {
  readonly reading: Promise<TaskRecordDocument>;
  readonly isRevealed: boolean;
}

async function taskPage(
  visit: Visit,
  context: OperationContext,
  options: PageOptions,
  { reading, isRevealed }: TaskShown,
) {
  const { id } = visit.params;
  const [now, task, { logs }, why, workers] = await Promise.all([
    readNow(context),
    reading,
    perform(taskLogs, context, { id }),
    perform(taskExplain, context, { id }),
    readWorkers(context),
  ]);
  const frame = frameOf(visit, options, now, {
    topics: [`task:${task.id}`],
    ...(task.state === 'running' && { everyMs: busyMs }),
  });
  return (
    <TaskPage
      frame={isRevealed ? { ...frame, liveHref: null } : frame}
      task={task}
      isRevealed={isRevealed}
      why={why}
      workers={workers}
      logs={logs}
      level={visit.query.level ?? 'debug'}
      may={{
        operate: reaches(context, 'operator'),
        remove: reaches(context, taskRemove.role),
        reveal: reaches(context, taskReveal.role),
      }}
    />
  );
}

/** The form that runs a task by name; its input is JSON text. */
export async function answerRun(visit: Visit, context: OperationContext): Promise<Response> {
  const { name, input = '', ...rest } = visit.form;
  // As the API reads it, which keeps each digit of a long number.
  const value = input.trim() === '' ? {} : readJsonText(input, 'The input', limits.payloadBytesMax);
  const { id } = await perform(taskEnqueue, { ...context, isDecoded: true }, { ...rest, name, input: value });
  return seeOther(visit, `tasks/${id}`);
}
