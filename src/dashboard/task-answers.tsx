/** The answers of the pages of tasks: the list, what is done with a selection, one task, and a form that runs one. */

import { TaskFlowError, taskFlowError } from '../core/errors.ts';
import { decodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { type Operation, type OperationContext, perform, type Role, roles } from '../operations/operation.ts';
import { systemCounts, systemHealth } from '../operations/system.ts';
import {
  taskCancel,
  taskEnqueue,
  taskExplain,
  taskGet,
  taskList,
  taskLogs,
  taskRemove,
  taskRetry,
} from '../operations/task.ts';
import { workerList } from '../operations/worker.ts';
import { frameOf, html, type PageOptions, seeOther, type Visit } from './frame.tsx';
import { TaskPage } from './task-page.tsx';
import { firstPage, type TaskQuery } from './task-rows.tsx';
import { Tasks } from './tasks.tsx';

/** Tasks on a page of the list. */
const listMax = 50;

export async function answerTasks(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const [health, { counts }, query] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(systemCounts, context, {}),
    findTasks(visit, context),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now));
  const may = { operate: reaches(context, 'operator'), remove: reaches(context, taskRemove.role) };
  const page = <Tasks frame={frame} counts={counts} query={query} may={may} />;
  return html(page, 'code' in query.answer ? 400 : 200);
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

function reaches({ actor }: OperationContext, role: Role): boolean {
  return roles.indexOf(actor.role) >= roles.indexOf(role);
}

/** What a selection may be sent to: each an operation on one task. */
const onEach: Readonly<Record<string, Operation<never, unknown> | undefined>> = {
  retry: taskRetry as Operation<never, unknown>,
  cancel: taskCancel as Operation<never, unknown>,
  remove: taskRemove as Operation<never, unknown>,
};

/** Each task by itself: one that has gone on meanwhile does not keep the others. */
export async function answerSelected(visit: Visit, context: OperationContext): Promise<Response> {
  const { action = '', q = '', ...fields } = visit.form;
  const operation = Object.hasOwn(onEach, action) ? onEach[action] : undefined;
  if (operation === undefined)
    throw taskFlowError('INVALID_OPTION', {
      what: 'action',
      problem: `it is one of ${Object.keys(onEach).join(', ')}`,
    });
  const ids = Object.keys(fields).flatMap((name) => (name.startsWith('task.') ? [name.slice('task.'.length)] : []));
  if (ids.length > limits.pageMax)
    throw taskFlowError('INVALID_OPTION', {
      what: 'The selection',
      problem: `it has more than ${limits.pageMax} tasks`,
    });
  let [did, not] = [0, 0];
  for (const id of ids) {
    try {
      await perform(operation, context, { id });
      did++;
    } catch (error) {
      if (!(error instanceof TaskFlowError) || ![404, 409].includes(error.status)) throw error;
      not++;
    }
  }
  const query = new URLSearchParams({ ...(q === '' ? {} : { q }), done: `${action}.${did}.${not}` });
  return seeOther(visit, `tasks?${query}`);
}

export async function answerTask(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { id } = visit.params;
  const [health, task, { logs }, why, { workers }] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(taskGet, context, { id }),
    perform(taskLogs, context, { id }),
    perform(taskExplain, context, { id }),
    perform(workerList, context, {}),
  ]);
  return html(
    <TaskPage
      frame={frameOf(visit, options, Date.parse(health.now), [`task:${task.id}`])}
      task={task}
      why={why}
      workers={workers}
      logs={logs}
      level={visit.query.level ?? 'debug'}
      may={{ operate: reaches(context, 'operator'), remove: reaches(context, taskRemove.role) }}
    />,
  );
}

/** The form that runs a task by name; its input is JSON text. */
export async function answerRun(visit: Visit, context: OperationContext): Promise<Response> {
  const { name, input = '', ...rest } = visit.form;
  const bounds = { what: 'The input', bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax };
  const value = input.trim() === '' ? {} : decodeJson(input, bounds);
  const { id } = await perform(taskEnqueue, context, { ...rest, name, input: value });
  return seeOther(visit, `tasks/${id}`);
}
