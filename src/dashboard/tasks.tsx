/** The list of tasks on its own page. */

import type { CountsDocument } from '../operations/system.ts';
import { Layout, type PageFrame } from './layout.tsx';
import { StateChips, TaskCard, type TaskQuery } from './task-table.tsx';

export interface TasksProps {
  readonly frame: PageFrame;
  readonly counts: CountsDocument['counts'];
  readonly query: TaskQuery;
}

export function Tasks({ frame, counts, query }: TasksProps) {
  return (
    <Layout title={query.q === '' ? 'Tasks' : `${query.q} · Tasks`} current="tasks" frame={frame}>
      <div class="title">
        <h1>Tasks</h1>
      </div>
      <StateChips counts={counts} q={query.q} root={frame.root} />
      <TaskCard query={query} root={frame.root} now={frame.now} title="Tasks" />
    </Layout>
  );
}
