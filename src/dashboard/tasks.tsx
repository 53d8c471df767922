/** The list of tasks on its own page. */

import type { ErrorDocument } from '../operations/error.ts';
import type { CountsDocument } from '../operations/system.ts';
import { ColumnsMenu } from './columns-menu.tsx';
import { ErrorCard } from './error-card.tsx';
import { Flash } from './flash.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import type { TaskColumn } from './task-columns.ts';
import { FilterBox, StateChips } from './task-filter.tsx';
import { type TaskQuery, TaskRows } from './task-rows.tsx';

export interface TasksProps {
  readonly frame: PageFrame;
  readonly counts: CountsDocument;
  readonly query: TaskQuery;
  /** The kind of failures that the list is of; `null` for any other list. */
  readonly error: ErrorDocument | null;
  /** Those that are shown. */
  readonly columns: ReadonlySet<TaskColumn>;
  readonly may: { readonly operate: boolean; readonly remove: boolean };
}

/** A filter is a mistake or a page; the box keeps what was typed either way. */
export function Tasks({ frame, counts, query, error, columns, may }: TasksProps) {
  const { q, answer } = query;
  const { root, now } = frame;
  return (
    <Layout title={q === '' ? 'Tasks' : `${q} · Tasks`} current="tasks" frame={frame}>
      <div class="title">
        <h1>Tasks</h1>
        <span class="grow" />
        <nav class="views" aria-label="Views">
          <a href={`${root}tasks?q=state%3Afailed%2Cquarantined%20since%3A24h`}>Failed today</a>
          <a href={`${root}tasks?q=took%3A%3E5s`}>Slow</a>
          <a href={`${root}tasks?q=waited%3A%3E1m`}>Late</a>
        </nav>
        <ColumnsMenu columns={columns} frame={frame} />
      </div>
      <Flash frame={frame} />
      <StateChips counts={counts.counts} q={q} root={root} />
      <FilterBox q={q} mistake={'code' in answer ? answer : null} root={root} />
      {error === null ? null : <ErrorCard error={error} frame={frame} mayOperate={may.operate} />}
      {'code' in answer ? null : (
        <TaskRows query={query} page={answer} counts={counts} columns={columns} root={root} now={now} may={may} />
      )}
    </Layout>
  );
}
