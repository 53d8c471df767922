/** The pages as routes: each reads through operations and answers finished HTML; each form answers with a redirect. */

import type { HtmlEscapedString } from 'hono/utils/html';
import { type ErrorDocument, TaskFlowError } from '../core/errors.ts';
import { heard } from '../core/heard.ts';
import { decodeJson } from '../core/json.ts';
import { limits } from '../core/limits.ts';
import { sharedLook } from '../operations/context.ts';
import { type Operation, type OperationContext, perform } from '../operations/operation.ts';
import { queueList, queuePause, queueResume } from '../operations/queue.ts';
import {
  scheduleGet,
  scheduleList,
  scheduleNext,
  schedulePause,
  scheduleResume,
  scheduleRun,
} from '../operations/schedule.ts';
import { systemActivity, systemCounts, systemHealth } from '../operations/system.ts';
import { taskCancel, taskEnqueue, taskExplain, taskGet, taskList, taskLogs, taskRetry } from '../operations/task.ts';
import { workerList } from '../operations/worker.ts';
import { assetResponse, icon, styleSheet } from './assets.ts';
import { ErrorPage } from './error-page.tsx';
import type { PageFrame } from './layout.tsx';
import { Overview, OverviewWithoutRecord } from './overview.tsx';
import { SchedulePage } from './schedule-page.tsx';
import { Schedules } from './schedules.tsx';
import { TaskPage } from './task-page.tsx';
import type { TaskQuery } from './task-table.tsx';
import { Tasks } from './tasks.tsx';

/** A request as a page sees it, checked and read by whoever serves it. */
export interface Visit {
  /** As the browser asked for it, below the root of the site: `/tasks/01K…`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** The fields of a posted form. */
  readonly form: Readonly<Record<string, string>>;
}

export interface PageRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  answer(visit: Visit, context: OperationContext): Promise<Response>;
}

export interface PageOptions {
  readonly version: string;
  /** Shown in the bar: `staging`, `production`. */
  readonly environment?: string | null;
}

/** The pages, and the page that says what went wrong. */
export interface Pages {
  readonly routes: readonly PageRoute[];
  errorPage(error: TaskFlowError, path: string, context: OperationContext): Promise<Response>;
}

export function createPages(options: PageOptions): Pages {
  return {
    routes: [
      { method: 'GET', path: '/', answer: (visit, context) => answerOverview(visit, sharedLook(context), options) },
      { method: 'GET', path: '/tasks', answer: (visit, context) => answerTasks(visit, sharedLook(context), options) },
      { method: 'POST', path: '/tasks', answer: answerRun },
      {
        method: 'GET',
        path: '/tasks/:id',
        answer: (visit, context) => answerTask(visit, sharedLook(context), options),
      },
      { method: 'POST', path: '/tasks/:id/cancel', answer: action(taskCancel, ({ id }) => `tasks/${id}`) },
      { method: 'POST', path: '/tasks/:id/retry', answer: action(taskRetry, ({ id }) => `tasks/${id}`) },
      {
        method: 'GET',
        path: '/schedules',
        answer: (visit, context) => answerSchedules(visit, sharedLook(context), options),
      },
      {
        method: 'GET',
        path: '/schedules/:name',
        answer: (visit, context) => answerSchedule(visit, sharedLook(context), options),
      },
      { method: 'POST', path: '/schedules/:name/run', answer: action(scheduleRun, schedulePath) },
      { method: 'POST', path: '/schedules/:name/pause', answer: action(schedulePause, schedulePath) },
      { method: 'POST', path: '/schedules/:name/resume', answer: action(scheduleResume, schedulePath) },
      { method: 'POST', path: '/queues/:name/pause', answer: action(queuePause, () => '#queues') },
      { method: 'POST', path: '/queues/:name/resume', answer: action(queueResume, () => '#queues') },
      { method: 'GET', path: `/${styleSheet.path}`, answer: async () => assetResponse(styleSheet) },
      { method: 'GET', path: `/${icon.path}`, answer: async () => assetResponse(icon) },
    ],
    errorPage: (error, path, context) => answerError(error, path, context, options),
  };
}

/** Seconds between two looks of a live page. */
const refreshSeconds = 3;
/** Tasks on the overview, on the list, and looked at for those that run longest. */
const newestMax = 20;
const listMax = 50;
const runningMax = 100;

async function answerOverview(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  // The box of an earlier version, a bookmark or a person who edits the address: a filter is always the list.
  if (visit.query.q !== undefined) return answerTasks(visit, context, options);
  const recorded = heard(
    Promise.all([
      perform(systemCounts, context, {}),
      perform(systemActivity, context, { minutes: 60 }),
      perform(taskList, context, { q: 'state:running', limit: runningMax }),
      findTasks({ limit: newestMax }, context),
    ]),
  );
  const [health, { queues }, { workers }, hello] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(queueList, context, {}),
    perform(workerList, context, {}),
    context.definitions.find('demo.hello'),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now));
  const isAway = health.record !== null && health.record.problem !== null;
  if (isAway) return html(<OverviewWithoutRecord frame={frame} health={health} queues={queues} workers={workers} />);
  const [{ counts }, { minutes }, running, tasks] = await recorded;
  return html(
    <Overview
      frame={frame}
      health={health}
      counts={counts}
      minutes={minutes}
      queues={queues}
      workers={workers}
      running={running.tasks}
      tasks={tasks}
      helloKnown={hello !== null && health.workers > 0}
    />,
  );
}

async function answerTasks(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const [health, { counts }, query] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(systemCounts, context, {}),
    findTasks({ q: visit.query.q ?? '', after: visit.query.after, limit: listMax }, context),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now));
  return html(<Tasks frame={frame} counts={counts} query={query} />, 'code' in query.answer ? 400 : 200);
}

/** A filter with a mistake is an answer too: the page shows the box with what was typed, and where it is wrong. */
async function findTasks(
  wanted: { readonly q?: string; readonly after?: string | undefined; readonly limit: number },
  context: OperationContext,
): Promise<TaskQuery> {
  const { q = '', after, limit } = wanted;
  const shown = { q, after: after ?? null };
  try {
    const answer = await perform(taskList, context, {
      limit,
      ...(q === '' ? {} : { q }),
      ...(after === undefined ? {} : { after }),
    });
    return { ...shown, answer };
  } catch (error) {
    if (error instanceof TaskFlowError && error.status === 400) return { ...shown, answer: error.toJSON() };
    throw error;
  }
}

async function answerTask(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
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
      frame={frameOf(visit, options, Date.parse(health.now))}
      task={task}
      why={why}
      workers={workers}
      logs={logs}
    />,
  );
}

async function answerSchedules(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { after } = visit.query;
  const [health, { schedules, next }] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(scheduleList, context, { limit: listMax, ...(after === undefined ? {} : { after }) }),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now));
  return html(<Schedules frame={frame} schedules={schedules} next={next} />);
}

async function answerSchedule(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { name } = visit.params;
  const [health, schedule, { times }] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(scheduleGet, context, { name }),
    perform(scheduleNext, context, { name }),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now));
  return html(<SchedulePage frame={frame} schedule={schedule} times={times} />);
}

const schedulePath = ({ name = '' }: Readonly<Record<string, string>>): string =>
  `schedules/${encodeURIComponent(name)}`;

/** The form that runs a task by name; its input is JSON text. */
async function answerRun(visit: Visit, context: OperationContext): Promise<Response> {
  const { name, input = '', ...rest } = visit.form;
  const bounds = { what: 'The input', bytesMax: limits.payloadBytesMax, depthMax: limits.jsonDepthMax };
  const value = input.trim() === '' ? {} : decodeJson(input, bounds);
  const { id } = await perform(taskEnqueue, context, { ...rest, name, input: value });
  return seeOther(visit, `tasks/${id}`);
}

/** A form whose input is what the path names; afterwards the browser looks at `next`. */
function action<Input, Output>(
  operation: Operation<Input, Output>,
  next: (params: Readonly<Record<string, string>>) => string,
): PageRoute['answer'] {
  return async (visit, context) => {
    await perform(operation, context, { ...visit.form, ...visit.params });
    return seeOther(visit, next(visit.params));
  };
}

async function answerError(
  error: TaskFlowError,
  path: string,
  context: OperationContext,
  options: PageOptions,
): Promise<Response> {
  const frame = { ...frameOf({ path, params: {}, query: {}, form: {} }, options, context.clock.now()), liveHref: null };
  const document: ErrorDocument = error.toJSON();
  return html(<ErrorPage error={document} title={`Error ${error.status}`} frame={frame} />, error.status);
}

function frameOf(visit: Visit, { version, environment = null }: PageOptions, now: number): PageFrame {
  const { live, ...rest } = visit.query;
  const own = new URLSearchParams(live === undefined ? { ...rest, live: '1' } : rest).toString();
  return {
    root: rootOf(visit.path),
    environment,
    version,
    now,
    refresh: live === undefined ? null : refreshSeconds,
    liveHref: own === '' ? lastSegment(visit.path) : `?${own}`,
  };
}

/** `/` → `./`, `/tasks/01K…` → `../`: links that hold behind any prefix. */
function rootOf(path: string): string {
  const depth = path.split('/').length - 2;
  return depth <= 0 ? './' : '../'.repeat(depth);
}

/** The page itself, without its query, as a relative link. */
function lastSegment(path: string): string {
  return `./${path.slice(path.lastIndexOf('/') + 1)}`;
}

function seeOther(visit: Visit, path: string): Response {
  return new Response(null, { status: 303, headers: { location: rootOf(visit.path) + path } });
}

async function html(page: HtmlEscapedString | Promise<HtmlEscapedString>, status = 200): Promise<Response> {
  return new Response(`<!doctype html>${await page}`, {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
}
