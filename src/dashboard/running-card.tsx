/** The tasks that have run longest, with how far they are. */

import type { ListedTaskDocument } from '../operations/task-document.ts';
import { ProgressBar } from './components.tsx';
import { count, exactTime, stopwatch } from './words.ts';

const shownMax = 8;

/** When its run began, as far as that is known: a run that was just claimed has not reported its start. */
const startOf = (task: ListedTaskDocument): string => task.startedAt ?? task.claimedAt ?? task.dueAt;

interface RunningProps {
  readonly tasks: readonly ListedTaskDocument[];
  readonly total: number;
  readonly root: string;
  readonly now: number;
}

export function RunningCard({ tasks, total, root, now }: RunningProps) {
  const longest = tasks.toSorted((a, b) => Date.parse(startOf(a)) - Date.parse(startOf(b))).slice(0, shownMax);
  return (
    <section class="card">
      <header>
        <h2>Running now</h2>
        <span class="muted">{count(total)}</span>
        <span class="grow" />
        <a class="muted" href={`${root}tasks?q=state%3Arunning`}>
          All
        </a>
      </header>
      {longest.length === 0 ? (
        <p class="none">Nothing runs.</p>
      ) : (
        <table>
          <colgroup>
            <col />
            <col class="w-bar" />
            <col class="w-time" />
          </colgroup>
          <thead class="unseen">
            <tr>
              <th>Task</th>
              <th>Progress</th>
              <th>Runs for</th>
            </tr>
          </thead>
          <tbody>
            {longest.map((task) => (
              <tr>
                <td title={task.progress?.note ?? undefined}>
                  <a href={`${root}tasks/${task.id}`}>{task.name}</a> <span class="muted">{task.queue}</span>
                </td>
                <td>
                  {task.progress === null ? (
                    <span class="muted">–</span>
                  ) : (
                    <ProgressBar done={task.progress.done} total={task.progress.total} />
                  )}
                </td>
                <td class="right mono">
                  <time datetime={startOf(task)} title={exactTime(startOf(task))} data-tick="stopwatch">
                    {stopwatch(now - Date.parse(startOf(task)))}
                  </time>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
