/** The rows of a list of tasks, what may be done with those that are chosen, and the way to newer and older ones. */

import type { ErrorDocument } from '../core/errors.ts';
import { isFinished, isWaiting } from '../core/states.ts';
import type { TaskListDocument } from '../operations/task.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import { BulkBar } from './bulk-bar.tsx';
import { Took, When } from './components.tsx';
import { termsOf, withTerm } from './filter-words.ts';
import { StateWord } from './glyphs.tsx';
import { listHref } from './task-filter.tsx';
import { count, lastTime } from './words.ts';

/** The query a list was asked for with, and what came of it: a page, or what is wrong with the filter. */
export interface TaskQuery {
  readonly q: string;
  readonly after: string | null;
  /** The cursors of the pages before this one, the nearest last; `first` is the first page. */
  readonly trail: readonly string[];
  readonly answer: TaskListDocument | ErrorDocument;
  readonly tookMs: number;
}

interface RowsProps {
  readonly query: TaskQuery;
  readonly page: TaskListDocument;
  /** The queues there are. */
  readonly queues: readonly string[];
  readonly root: string;
  readonly now: number;
  /** Whether who asks may change tasks, and remove them. */
  readonly may: { readonly operate: boolean; readonly remove: boolean };
}

export function TaskRows({ query, page, queues, root, now, may }: RowsProps) {
  const { tasks } = page;
  const isEmpty = tasks.length === 0;
  return (
    <section class="card" aria-label="Tasks">
      {isEmpty ? (
        <NoTasks query={query} root={root} />
      ) : (
        <form class="rows" method="post" action={`${root}tasks/selected`}>
          <input type="hidden" name="q" value={query.q} />
          {may.operate ? (
            <BulkBar
              q={query.q}
              root={root}
              finished={tasks.some(({ state }) => isFinished(state))}
              unfinished={tasks.some(({ state }) => !isFinished(state))}
              waiting={tasks.some(({ state }) => isWaiting(state))}
              mayRemove={may.remove}
              queues={queues}
            />
          ) : null}
          <Table tasks={tasks} root={root} now={now} mayChoose={may.operate} />
        </form>
      )}
      <Pages query={query} page={page} root={root} />
    </section>
  );
}

interface TableProps {
  readonly tasks: readonly ListedTaskDocument[];
  readonly root: string;
  readonly now: number;
  readonly mayChoose: boolean;
}

function Table({ tasks, root, now, mayChoose }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          {mayChoose ? (
            <th class="w-box">
              <input
                class="needs-script"
                type="checkbox"
                data-choose-all
                aria-label="All of this page"
                autocomplete="off"
              />
            </th>
          ) : null}
          <th class="w-state">State</th>
          <th class="w-task">Task</th>
          <th class="w-id c-id">ID</th>
          <th class="w-queue hide">Queue</th>
          <th class="hide">{tasks.every(isFailing) ? 'Error' : 'Input'}</th>
          <th class="w-small right hide">Attempt</th>
          <th class="w-took right hide">Took</th>
          <th class="w-when right">When ↓</th>
        </tr>
      </thead>
      <tbody data-rows>
        {tasks.map((task) => (
          <Row task={task} root={root} now={now} mayChoose={mayChoose} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ task, root, now, mayChoose }: Omit<TableProps, 'tasks'> & { readonly task: ListedTaskDocument }) {
  const href = `${root}tasks/${task.id}`;
  const failing = isFailing(task);
  return (
    <tr id={task.id}>
      {mayChoose ? (
        <td>
          <input type="checkbox" name={`task.${task.id}`} aria-label={`Select ${task.name} ${task.id.slice(0, 16)}`} />
        </td>
      ) : null}
      <td>
        <StateWord view={task.view} />
      </td>
      <td title={task.name}>
        <a href={href}>{task.name}</a>
        <span class="under phone">
          {`${task.queue} · `}
          <Took task={task} now={now} />
        </span>
      </td>
      <td class="mono muted c-id" title={task.id}>
        {task.id.slice(0, 16)}
      </td>
      <td class="hide">{task.queue}</td>
      <td class="mono muted hide" title={failing ? task.error?.message : undefined}>
        {failing ? task.error?.message : task.preview}
      </td>
      <td class="right hide">{`${task.attempt}/${task.attempts}`}</td>
      <td class="right mono hide">
        <Took task={task} now={now} />
      </td>
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

function NoTasks({ query: { q }, root }: { readonly query: TaskQuery; readonly root: string }) {
  if (q === '')
    return (
      <p class="none">
        No tasks yet. The{' '}
        <a class="strong" href={root}>
          overview
        </a>{' '}
        has three steps to the first one.
      </p>
    );
  return (
    <p class="none">
      No tasks match <code>{q}</code>.{' '}
      {termsOf(q).map(({ field, text }) => (
        <>
          <a class="strong" href={listHref(root, withTerm(q, field, null))}>
            {`Remove ${text}`}
          </a>{' '}
        </>
      ))}
      <a class="strong" href={`${root}tasks`}>
        Show all
      </a>
    </p>
  );
}

/** Pages remembered on the way down: enough for anybody who turns pages by hand. */
const trailMax = 20;
export const firstPage = 'first';

function Pages({ query, page, root }: Pick<RowsProps, 'query' | 'page' | 'root'>) {
  const { after, trail } = query;
  const newer = trail.at(-1);
  return (
    <div class="pages">
      <span>{searchedWords(page, query.tookMs)}</span>
      <a class="button small" href={pageHref(root, query.q, null, [])} data-arrived hidden>
        Show new tasks
      </a>
      <span class="grow" />
      {newer === undefined ? null : (
        <a
          class="button small"
          href={pageHref(root, query.q, newer === firstPage ? null : newer, trail.slice(0, -1))}
          rel="prev"
        >
          Newer
        </a>
      )}
      {page.next === null ? null : (
        <a
          class="button small"
          href={pageHref(root, query.q, page.next, [...trail, after ?? firstPage].slice(-trailMax))}
          rel="next"
        >
          {page.tasks.length === 0 ? 'Search further back' : 'Older'}
        </a>
      )}
    </div>
  );
}

function searchedWords({ tasks, scanned }: TaskListDocument, tookMs: number): string {
  const shown = tasks.length === 1 ? '1 task' : `${count(tasks.length)} tasks`;
  const where = scanned === 'newest' ? ' · searched the newest tasks only; Older looks further back' : '';
  return `${shown}${where} · ${Math.max(1, Math.round(tookMs))} ms`;
}

function pageHref(root: string, q: string, after: string | null, trail: readonly string[]): string {
  const search = new URLSearchParams({
    ...(q === '' ? {} : { q }),
    ...(after === null ? {} : { after }),
    ...(trail.length === 0 || after === null ? {} : { trail: trail.join('.') }),
  }).toString();
  return `${root}tasks${search === '' ? '' : `?${search}`}`;
}
