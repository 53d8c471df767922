/** The pages as routes: each reads through operations and answers finished HTML; each form answers with a redirect. */

import type { ErrorDocument, TaskFlowError } from '../core/errors.ts';
import { heard } from '../core/heard.ts';
import { sharedLook } from '../operations/context.ts';
import { type Actor, type Operation, type OperationContext, perform, type Role } from '../operations/operation.ts';
import { queueList, queuePause, queueResume } from '../operations/queue.ts';
import {
  scheduleGet,
  scheduleList,
  scheduleNext,
  schedulePause,
  scheduleResume,
  scheduleRun,
} from '../operations/schedule.ts';
import { systemSigns } from '../operations/signs.ts';
import { systemActivity, systemCounts, systemHealth } from '../operations/system.ts';
import { taskGet, taskList } from '../operations/task.ts';
import { taskRunNow } from '../operations/task-change.ts';
import { taskReveal } from '../operations/task-reveal.ts';
import { workerList } from '../operations/worker.ts';
import { assetResponse, assets } from './assets.ts';
import { chartSpans } from './chart-card.tsx';
import { ErrorPage } from './error-page.tsx';
import { busyMs, frameOf, html, type PageOptions, reaches, refreshSeconds, seeOther, type Visit } from './frame.tsx';
import { LoginPage } from './login-page.tsx';
import { answerAll, answerMatching } from './matching.tsx';
import { Overview, OverviewWithoutRecord } from './overview.tsx';
import { isWithinQueues } from './reach.ts';
import { SchedulePage } from './schedule-page.tsx';
import { Schedules } from './schedules.tsx';
import { answerSettings } from './settings.ts';
import { answerMark, answerReveal, answerRun, answerSelected, answerTask, answerTasks } from './task-answers.tsx';
import { answerStop, beginUndoable, begunQuery, type UndoableVerb } from './undoable.ts';
import type { Who } from './user-menu.tsx';

export interface PageRoute {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The least role that may ask; `anyone` for what has no secret in it. */
  readonly role: Role | 'anyone';
  answer(visit: Visit, context: OperationContext): Promise<Response>;
}

/** The pages, and the page that says what went wrong. */
export interface Pages {
  readonly routes: readonly PageRoute[];
  /** `actor` is who asks, where that is known. */
  errorPage(
    error: TaskFlowError,
    visit: Pick<Visit, 'path' | 'root' | 'choices'> & { readonly actor: Actor | null },
    context: Timed,
  ): Promise<Response>;
  /** Where people sign in and out. */
  loginPage(view: LoginView, path: string, context: OperationContext, root: string): Promise<Response>;
}

/** All that a page needs to know which says what went wrong. */
type Timed = { readonly clock: Pick<OperationContext['clock'], 'now'> };

/** What the page to sign in shows. */
export interface LoginView {
  readonly next: string;
  readonly error: TaskFlowError | null;
  readonly actor: string | null;
}

type Answer = (visit: Visit, context: OperationContext, options: PageOptions) => Promise<Response>;

export function createPages(options: PageOptions): Pages {
  const look = (path: string, answer: Answer): PageRoute => ({
    method: 'GET',
    path,
    role: 'viewer',
    answer: (visit, context) => answer({ ...visit, who: whoOf(context) }, sharedLook(context), options),
  });
  const change = (path: string, answer: PageRoute['answer'], role: Role = 'operator'): PageRoute => ({
    method: 'POST',
    path,
    role,
    answer,
  });
  return {
    routes: [
      look('/', answerOverview),
      look('/tasks', answerTasks),
      change('/tasks', answerRun),
      change('/tasks/selected', answerSelected),
      look('/tasks/matching', answerMatching),
      change('/tasks/matching', answerAll),
      look('/tasks/:id', answerTask),
      {
        method: 'POST',
        path: '/tasks/:id/reveal',
        role: taskReveal.role,
        answer: (visit, context) => answerReveal({ ...visit, who: whoOf(context) }, sharedLook(context), options),
      },
      // Who opens it again sees the task as it is shown to everybody.
      look('/tasks/:id/reveal', async (visit) => seeOther(visit, `tasks/${encodeURIComponent(visit.params.id ?? '')}`)),
      change('/tasks/:id/cancel', undoable('cancel')),
      change('/tasks/:id/retry', undoable('retry')),
      change('/tasks/:id/remove', undoable('remove'), 'admin'),
      change(
        '/tasks/:id/run-now',
        action(taskRunNow, ({ id }) => `tasks/${id}?done=run.1.0`),
      ),
      change('/operations/:id/stop', answerStop),
      look('/api', answerApi),
      change('/errors/:fingerprint/mark', answerMark),
      { method: 'POST', path: '/settings', role: 'anyone', answer: answerSettings },
      look('/schedules', answerSchedules),
      look('/schedules/:name', answerSchedule),
      change('/schedules/:name/run', action(scheduleRun, schedulePath)),
      change('/schedules/:name/pause', action(schedulePause, schedulePath)),
      change('/schedules/:name/resume', action(scheduleResume, schedulePath)),
      change(
        '/queues/:name/pause',
        action(queuePause, () => '#queues'),
      ),
      change(
        '/queues/:name/resume',
        action(queueResume, () => '#queues'),
      ),
      ...assets.map(
        (asset): PageRoute => ({
          method: 'GET',
          path: `/${asset.path}`,
          role: 'anyone',
          answer: async () => assetResponse(asset),
        }),
      ),
    ],
    errorPage: (error, { path, root, choices, actor }, context) => {
      const who = actor === null ? {} : { who: whoOf({ actor }) };
      return answerError(error, { ...visitOf(path, root), choices, ...who }, context, options);
    },
    loginPage: (view, path, context, root) => answerLogin(view, visitOf(path, root), context, options),
  };
}

function whoOf({ actor: { name, role, sessionId } }: Pick<OperationContext, 'actor'>): Who {
  return { name, role, isSignedIn: sessionId !== undefined };
}

/** Running tasks looked at for those that run longest, and schedules on a page. */
const runningMax = 100;
const schedulesMax = 50;

async function answerOverview(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  // The box of an earlier version, a bookmark or a person who edits the address: a filter is always the list.
  if (visit.query.q !== undefined) return answerTasks(visit, context, options);
  // It is about the whole system.
  if (isWithinQueues(context)) return seeOther(visit, 'tasks');
  const span = chartSpans.find(([name]) => name === visit.query.span) ?? chartSpans[0];
  const recorded = heard(
    Promise.all([
      perform(systemCounts, context, {}),
      perform(systemActivity, context, { minutes: span[1] }),
      perform(taskList, context, { q: 'state:running', limit: runningMax }),
      perform(systemSigns, context, { wait: false }),
    ]),
  );
  const [health, { queues }, { workers }] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(queueList, context, {}),
    perform(workerList, context, {}),
  ]);
  const frame = frameOf(visit, options, Date.parse(health.now), {
    topics: ['counts', 'worker'],
    ...(health.running > 0 && { everyMs: busyMs }),
  });
  const mayOperate = reaches(context, 'operator');
  const isAway = health.record !== null && health.record.problem !== null;
  if (isAway) return html(<OverviewWithoutRecord {...{ frame, health, queues, workers, mayOperate }} />);
  const [kept, activity, running, signs] = await recorded;
  return html(
    <Overview
      frame={signs.asOf === null ? { ...frame, everyMs: busyMs, refreshPlain: refreshSeconds } : frame}
      span={span}
      health={health}
      counts={kept.counts}
      kept={kept}
      signs={signs}
      mayOperate={mayOperate}
      activity={activity}
      queues={queues}
      workers={workers}
      running={running.tasks}
      helloKnown={workers.some(({ state, tasks }) => state === 'ready' && tasks.includes('demo.hello'))}
    />,
  );
}

async function answerSchedules(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const { after } = visit.query;
  const [health, { schedules, next }] = await Promise.all([
    perform(systemHealth, context, {}),
    perform(scheduleList, context, { limit: schedulesMax, ...(after === undefined ? {} : { after }) }),
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

/** Loaded when it is asked for: schemas cost 50 ms. */
async function answerApi(visit: Visit, context: OperationContext, options: PageOptions): Promise<Response> {
  const [{ readContract }, { ApiPage }, commands = {}] = await Promise.all([
    import('../api/contract.ts'),
    import('./api-page.tsx'),
    options.commands?.(),
  ]);
  const frame = { ...frameOf(visit, options, context.clock.now()), liveHref: null };
  return html(<ApiPage frame={frame} contract={await readContract()} commands={commands} />);
}

const schedulePath = ({ name = '' }: Readonly<Record<string, string>>): string =>
  `schedules/${encodeURIComponent(name)}`;

/** The page of a task that is to be removed will not be there: the list is. */
function undoable(verb: UndoableVerb): PageRoute['answer'] {
  return async (visit, context) => {
    const { id = '' } = visit.params;
    // What is not there is said now, not in ten seconds.
    await perform(taskGet, context, { id });
    const query = new URLSearchParams(begunQuery(verb, await beginUndoable(context, verb, [id])));
    return seeOther(visit, `${verb === 'remove' ? 'tasks' : `tasks/${id}`}?${query}`);
  };
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

/** What may go well in a moment is asked again by itself: the page of a store that is away comes back with the store. */
async function answerError(
  error: TaskFlowError,
  visit: Visit,
  context: Timed,
  options: PageOptions,
): Promise<Response> {
  const frame = { ...frameOf(visit, options, context.clock.now()), liveHref: null };
  const retried = error.retryable && isPage(visit.path) ? { ...frame, refresh: retrySeconds } : frame;
  const document: ErrorDocument = error.toJSON();
  const page = <ErrorPage error={document} title={`Error ${error.status}`} frame={retried} />;
  const response = await html(page, error.status);
  if (error.retryable) response.headers.set('retry-after', String(retrySeconds));
  return response;
}

/** Whether a browser may ask for it again: where a form was sent to there is nothing to look at. */
function isPage(path: string): boolean {
  return /^\/($|tasks(\/[^/]+)?\/?$|schedules(\/[^/]+)?\/?$)/.test(path) && !path.startsWith('/tasks/selected');
}

/** Seconds until a page that could not be made is asked for again. */
const retrySeconds = 3;

/** Of a page nobody asked for by its route. */
function visitOf(path: string, root: string): Visit {
  return { path, root, params: {}, query: {}, form: {}, choices: {} };
}

async function answerLogin(
  { next, error, actor }: LoginView,
  visit: Visit,
  context: OperationContext,
  options: PageOptions,
): Promise<Response> {
  const frame = {
    ...frameOf(visit, options, context.clock.now()),
    liveHref: null,
  };
  const page = <LoginPage frame={frame} next={next} error={error?.toJSON() ?? null} actor={actor} />;
  return html(page, error?.status ?? 200);
}
