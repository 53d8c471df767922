/** The table of tasks with its filter box, chips and pages: on the overview and on its own page. */

import type { ErrorDocument } from '../core/errors.ts';
import type { TaskView } from '../core/states.ts';
import type { TaskListDocument } from '../operations/task.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import { countsByLook, When } from './components.tsx';
import { StateWord, shownViews } from './glyphs.tsx';
import { count, lastTime, tookOrWaits } from './words.ts';

/** The query a list was asked for with, and what came of it: a page, or what is wrong with the filter. */
export interface TaskQuery {
  readonly q: string;
  readonly after: string | null;
  readonly answer: TaskListDocument | ErrorDocument;
}

interface TaskCardProps {
  readonly query: TaskQuery;
  readonly root: string;
  readonly now: number;
  readonly title: string;
}

/** A filter is a mistake or a page; the box keeps what was typed either way. */
export function TaskCard({ query, root, now, title }: TaskCardProps) {
  const { answer } = query;
  const mistake = 'code' in answer ? answer : null;
  return (
    <section class="card" aria-label={title}>
      <search>
        <form class="filter" method="get" action={`${root}tasks`}>
          <input
            type="search"
            name="q"
            value={query.q}
            placeholder="state:failed name:email.* since:6h"
            aria-label="Filter"
            autocomplete="off"
            spellcheck={false}
            aria-invalid={mistake === null ? undefined : 'true'}
          />
          <button class="button" type="submit">
            Filter
          </button>
        </form>
      </search>
      {mistake === null ? null : <Mistake q={query.q} error={mistake} />}
      {'code' in answer ? null : <TaskRows query={query} page={answer} root={root} now={now} />}
    </section>
  );
}

/** The chips that filter by state, with the exact counts of all tasks. */
export function StateChips({
  counts,
  q,
  root,
}: {
  readonly counts: Readonly<Partial<Record<TaskView, number>>>;
  readonly q: string;
  readonly root: string;
}) {
  const sums = countsByLook(counts);
  return (
    <nav class="chips" aria-label="States">
      {shownViews.map((view) => {
        const filter = filterFor(view);
        return (
          <a
            class={`chip tint-${view}`}
            href={`${root}tasks?q=${encodeURIComponent(filter)}`}
            aria-current={q === filter ? 'true' : undefined}
          >
            <StateWord view={view} />
            <b>{count(sums[view])}</b>
          </a>
        );
      })}
    </nav>
  );
}

/** The filter that lists what a number of the overview counts. */
export function filterFor(view: (typeof shownViews)[number]): string {
  if (view === 'failed') return 'state:failed,quarantined';
  return view === 'cancelled' ? 'state:cancelled,expired' : `state:${view}`;
}

/** What is wrong, with a mark under the place. */
function Mistake({ q, error }: { readonly q: string; readonly error: ErrorDocument }) {
  const position = positionOf(error.details);
  return (
    <div class="mistake" role="alert">
      {error.message}
      {position === null ? null : (
        <pre class="muted" aria-hidden="true">{`${q}\n${' '.repeat(Math.max(0, position - 1))}^`}</pre>
      )}
    </div>
  );
}

function positionOf(details: unknown): number | null {
  const found = typeof details === 'object' && details !== null && 'position' in details ? details.position : null;
  return typeof found === 'number' && found <= 200 ? found : null;
}

function TaskRows({
  query,
  page,
  root,
  now,
}: {
  readonly query: TaskQuery;
  readonly page: TaskListDocument;
  readonly root: string;
  readonly now: number;
}) {
  if (page.tasks.length === 0) return <NoTasks query={query} root={root} />;
  return (
    <>
      <table>
        <thead>
          <tr>
            <th class="w-state">State</th>
            <th class="w-task">Task</th>
            <th class="w-id c-id">ID</th>
            <th class="w-queue hide">Queue</th>
            <th class="hide">{page.tasks.every(isFailing) ? 'Error' : 'Input'}</th>
            <th class="w-small right hide">Attempt</th>
            <th class="w-took right hide">Took</th>
            <th class="w-when right">When</th>
          </tr>
        </thead>
        <tbody>
          {page.tasks.map((task) => (
            <TaskRow task={task} root={root} now={now} />
          ))}
        </tbody>
      </table>
      <Pages query={query} page={page} root={root} />
    </>
  );
}

function TaskRow({
  task,
  root,
  now,
}: {
  readonly task: ListedTaskDocument;
  readonly root: string;
  readonly now: number;
}) {
  const href = `${root}tasks/${task.id}`;
  const failing = isFailing(task);
  return (
    <tr>
      <td>
        <StateWord view={task.view} />
      </td>
      <td title={task.name}>
        <a href={href}>{task.name}</a>
        <span class="under phone">{`${task.queue} · ${tookOrWaits(task, now)}`}</span>
      </td>
      <td class="mono muted c-id">
        <a href={href} title={task.id}>
          {task.id.slice(0, 16)}
        </a>
      </td>
      <td class="hide">{task.queue}</td>
      <td class="mono muted hide" title={failing ? task.error?.message : undefined}>
        {failing ? task.error?.message : task.preview}
      </td>
      <td class="right hide">{`${task.attempt}/${task.attempts}`}</td>
      <td class="right mono hide">{tookOrWaits(task, now)}</td>
      <td class="right muted">
        <When at={lastTime(task)} now={now} />
      </td>
    </tr>
  );
}

/** Whether its last error says more about it than its input: a retry may have succeeded since. */
function isFailing(task: ListedTaskDocument): boolean {
  return task.error !== null && task.view !== 'succeeded' && task.view !== 'running';
}

function NoTasks({ query, root }: { readonly query: TaskQuery; readonly root: string }) {
  return (
    <p class="none">
      {query.q === '' ? (
        'No tasks yet.'
      ) : (
        <>
          No tasks match <code>{query.q}</code>.{' '}
        </>
      )}
      {query.q === '' ? null : (
        <a class="strong" href={`${root}tasks`}>
          Show all
        </a>
      )}
    </p>
  );
}

/** Newest is a link to the start: a cursor looks one way, the browser's back button the other. */
function Pages({
  query,
  page,
  root,
}: {
  readonly query: TaskQuery;
  readonly page: TaskListDocument;
  readonly root: string;
}) {
  const address = (after: string | null) => {
    const search = new URLSearchParams({
      ...(query.q === '' ? {} : { q: query.q }),
      ...(after === null ? {} : { after }),
    }).toString();
    return `${root}tasks${search === '' ? '' : `?${search}`}`;
  };
  if (page.next === null && query.after === null && page.scanned === 'all') return null;
  return (
    <div class="pages">
      {page.scanned === 'newest' ? <span>Searched the newest tasks only; Older looks further back.</span> : null}
      <span class="grow" />
      {query.after === null ? null : (
        <a class="button small" href={address(null)}>
          Newest
        </a>
      )}
      {page.next === null ? null : (
        <a class="button small" href={address(page.next)}>
          Older
        </a>
      )}
    </div>
  );
}
