/** The rows of a list of tasks, what may be done with those that are chosen, and the way to newer and older ones. */

import type { Child } from 'hono/jsx';
import type { ErrorDocument } from '../core/errors.ts';
import { isFinished, isWaiting, type TaskView } from '../core/states.ts';
import type { CountsDocument } from '../operations/system.ts';
import type { TaskListDocument } from '../operations/task.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import { BulkBar } from './bulk-bar.tsx';
import { Took, When } from './components.tsx';
import { termsOf, withTerm } from './filter-words.ts';
import { StateWord } from './glyphs.tsx';
import { type TaskColumn, taskColumns } from './task-columns.ts';
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
  readonly counts: CountsDocument;
  readonly columns: ReadonlySet<TaskColumn>;
  readonly root: string;
  readonly now: number;
  /** Whether who asks may change tasks, and remove them. */
  readonly may: { readonly operate: boolean; readonly remove: boolean };
}

export function TaskRows({ query, page, counts, columns, root, now, may }: RowsProps) {
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
              matching={matchingOf(query.q, page, counts)}
              finished={tasks.some(({ state }) => isFinished(state))}
              unfinished={tasks.some(({ state }) => !isFinished(state))}
              waiting={tasks.some(({ state }) => isWaiting(state))}
              mayRemove={may.remove}
              queues={Object.keys(counts.queues).sort()}
            />
          ) : null}
          <Table tasks={tasks} columns={columns} root={root} now={now} mayChoose={may.operate} />
        </form>
      )}
      <Pages query={query} page={page} root={root} />
    </section>
  );
}

interface TableProps {
  readonly tasks: readonly ListedTaskDocument[];
  readonly columns: ReadonlySet<TaskColumn>;
  readonly root: string;
  readonly now: number;
  readonly mayChoose: boolean;
}

/** How each column that may be chosen stands in the table: its head, its class, and its cell. */
const cells: Readonly<
  Record<
    TaskColumn,
    { readonly head: string; readonly look: string; cell(task: ListedTaskDocument, now: number): Child }
  >
> = {
  id: { head: 'w-id c-id', look: 'mono muted c-id', cell: ({ id }) => <span title={id}>{id.slice(0, 16)}</span> },
  queue: { head: 'w-queue hide', look: 'hide', cell: ({ queue }) => <span title={queue}>{queue}</span> },
  input: {
    head: 'hide',
    look: 'mono muted hide',
    cell: (task) => (isFailing(task) ? <span title={task.error?.message}>{task.error?.message}</span> : task.preview),
  },
  priority: { head: 'w-small right hide', look: 'right hide', cell: ({ priority }) => String(priority) },
  key: {
    head: 'w-queue hide',
    look: 'mono muted hide',
    cell: ({ key }) => <span title={key ?? ''}>{key ?? '–'}</span>,
  },
  tags: { head: 'w-queue hide', look: 'muted hide', cell: ({ tags }) => (tags.length === 0 ? '–' : tags.join(', ')) },
  worker: { head: 'w-queue hide', look: 'mono muted hide', cell: ({ worker }) => worker ?? '–' },
  attempt: {
    head: 'w-small right hide',
    look: 'right hide',
    cell: ({ attempt, attempts }) => `${attempt}/${attempts}`,
  },
  took: { head: 'w-took right hide', look: 'right mono hide', cell: (task, now) => <Took task={task} now={now} /> },
  created: {
    head: 'w-when right hide',
    look: 'right muted hide',
    cell: ({ createdAt }, now) => <When at={createdAt} now={now} />,
  },
  when: { head: 'w-when right', look: 'right muted', cell: (task, now) => <When at={lastTime(task)} now={now} /> },
};

/** Its word at the head of the table, which is shorter than in the menu. */
function headOf(column: TaskColumn, tasks: readonly ListedTaskDocument[]): string {
  if (column === 'input') return tasks.every(isFailing) ? 'Error' : 'Input';
  if (column === 'took') return 'Took';
  return column === 'when' ? 'When ↓' : taskColumns[column];
}

function Table({ tasks, columns, root, now, mayChoose }: TableProps) {
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
          <th class={columns.has('input') ? 'w-task' : undefined}>Task</th>
          {[...columns].map((column) => (
            <th class={cells[column].head}>{headOf(column, tasks)}</th>
          ))}
        </tr>
      </thead>
      <tbody data-rows>
        {tasks.map((task) => (
          <Row task={task} columns={columns} root={root} now={now} mayChoose={mayChoose} />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  task,
  columns,
  root,
  now,
  mayChoose,
}: Omit<TableProps, 'tasks'> & { readonly task: ListedTaskDocument }) {
  const href = `${root}tasks/${task.id}`;
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
      {[...columns].map((column) => (
        <td class={cells[column].look}>{cells[column].cell(task, now)}</td>
      ))}
    </tr>
  );
}

/** How many a filter finds, as far as that is known without a search: all on the page, or the kept counts of states. */
function matchingOf(q: string, { tasks, next }: TaskListDocument, { counts }: CountsDocument): number | null {
  if (next === null) return tasks.length;
  const terms = termsOf(q);
  const views = /^state:([\w,]+)$/.exec(terms[0]?.text ?? '')?.[1]?.split(',');
  if (terms.length !== 1 || views === undefined) return null;
  // `scheduled` as a state has the retrying in it, as `failed` has the quarantined.
  return views.every((view) => Object.hasOwn(wholeViews, view))
    ? views.reduce((sum, view) => sum + (counts[view as TaskView] ?? 0), 0)
    : null;
}

/** Views that are states of their own. */
const wholeViews = { blocked: true, queued: true, running: true, retrying: true, succeeded: true, quarantined: true };

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
    <div class="none">
      <p>
        No tasks match <code>{q}</code>.
      </p>
      <div class="ways">
        {termsOf(q).map(({ field, text }) => (
          <a class="button small" href={listHref(root, withTerm(q, field, null))}>
            {`Remove ${text}`}
          </a>
        ))}
        <a class="button small" href={`${root}tasks`}>
          Show all
        </a>
      </div>
    </div>
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
