/** The first page: is everything all right, and if not, what is to be done. */

import { formatDuration } from '../core/duration.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { CountsDocument, HealthDocument, MinuteDocument } from '../operations/system.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { NeedsAttention } from './attention.tsx';
import { ActivityChart, countsByLook, ProgressBar, sumOf } from './components.tsx';
import { FirstSteps } from './first-steps.tsx';
import { StateWord } from './glyphs.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { QueueCard } from './queue-card.tsx';
import { filterFor, TaskCard, type TaskQuery } from './task-table.tsx';
import { clockTime, count, stopwatch } from './words.ts';

export interface OverviewProps {
  readonly frame: PageFrame;
  readonly health: HealthDocument;
  readonly counts: CountsDocument['counts'];
  readonly minutes: readonly MinuteDocument[];
  readonly queues: readonly QueueDocument[];
  readonly workers: readonly WorkerDocument[];
  readonly running: readonly ListedTaskDocument[];
  readonly tasks: TaskQuery;
  /** Whether a living worker knows the task that greets newcomers. */
  readonly helloKnown: boolean;
}

export function Overview(props: OverviewProps) {
  const { frame, health, counts, minutes, queues, workers, running, tasks, helloKnown } = props;
  const empty = Object.values(counts).every((number) => number === 0);
  return (
    <Layout title="Overview" current="overview" frame={frame} store={storeWords(health)}>
      <Title health={health} span="last hour" />
      <Numbers {...props} />
      {empty ? (
        <FirstSteps root={frame.root} workers={health.workers} helloKnown={helloKnown} />
      ) : (
        <>
          <NeedsAttention queues={queues} workers={workers} health={health} />
          <div class="columns">
            <Activity minutes={minutes} />
            <RunningNow tasks={running} total={counts.running ?? 0} root={frame.root} now={frame.now} />
          </div>
          <TaskCard query={tasks} root={frame.root} now={frame.now} title="Newest tasks" />
        </>
      )}
      {queues.length === 0 ? null : <QueueCard queues={queues} root={frame.root} />}
    </Layout>
  );
}

/** While the record is away: what lives, and that the rest waits for it. */
export function OverviewWithoutRecord({
  frame,
  health,
  queues,
  workers,
}: Pick<OverviewProps, 'frame' | 'health' | 'queues' | 'workers'>) {
  return (
    <Layout title="Overview" current="overview" frame={frame} store={storeWords(health)}>
      <Title health={health} />
      <NeedsAttention queues={queues} workers={workers} health={health} />
      <QueueCard queues={queues} root={frame.root} />
    </Layout>
  );
}

function Title({ health, span = null }: { readonly health: HealthDocument; readonly span?: string | null }) {
  return (
    <div class="title">
      <h1>Overview</h1>
      {span === null ? null : <span class="muted">{span}</span>}
      <span class="grow" />
      <span class="muted">{`${clockTime(health.now)} UTC`}</span>
    </div>
  );
}

/** What the footer says of the store. */
export function storeWords({ store, record }: HealthDocument): string {
  const database = record?.database ?? null;
  const recorded = database === null ? '' : `; record: ${database.detail}, ${database.durability}`;
  return `${store.kind}, ${store.detail}, ${store.durability}${recorded}`;
}

function Numbers({ frame, health, counts, minutes, queues }: OverviewProps) {
  const sums = countsByLook(counts);
  const oldestMs = Math.max(-1, ...queues.map((queue) => queue.oldestWaitMs ?? -1));
  const failed = sumOf(minutes, 'failed');
  const succeeded = sumOf(minutes, 'succeeded');
  const retried = sumOf(minutes, 'retried');
  const numbers = [
    ['queued', 'Waiting', oldestMs < 0 ? '' : `oldest ${formatDuration(oldestMs)}`],
    ['running', 'Running', health.workers === 0 ? 'no worker' : `of ${count(health.slots)} slots`],
    ['retrying', 'Retrying', retried === 0 ? '' : `${count(retried)} retries in 1 h`],
    ['failed', 'Failed', failed === 0 ? '' : `+${count(failed)} in 1 h`],
    ['succeeded', 'Succeeded', succeeded === 0 ? '' : `+${count(succeeded)} in 1 h`],
    ['scheduled', 'Scheduled', sums.blocked === 0 ? '' : `and ${count(sums.blocked)} blocked`],
  ] as const;
  return (
    <section class="card numbers" aria-label="Right now">
      {numbers.map(([view, word, more]) => (
        <a class="number" href={`${frame.root}tasks?q=${encodeURIComponent(filterFor(view))}`}>
          <StateWord view={view} word={word} />
          <div class="count">{count(sums[view])}</div>
          <div class="more">{more}</div>
        </a>
      ))}
    </section>
  );
}

function Activity({ minutes }: { readonly minutes: readonly MinuteDocument[] }) {
  const [first] = minutes;
  return (
    <section class="card">
      <header>
        <h2>Finished per minute</h2>
        <span class="grow" />
        <StateWord view="succeeded" word={`Succeeded ${count(sumOf(minutes, 'succeeded'))}`} />
        <StateWord view="failed" word={`Failed ${count(sumOf(minutes, 'failed'))}`} />
      </header>
      <div class="body">
        <ActivityChart minutes={minutes} />
        <div class="axis">
          <span>{first === undefined ? '' : first.at.slice(11, 16)}</span>
          <span>now</span>
        </div>
      </div>
    </section>
  );
}

/** When its run began, as far as that is known: a run that was just claimed has not reported its start. */
function startOf(task: ListedTaskDocument): number {
  return Date.parse(task.startedAt ?? task.claimedAt ?? task.dueAt);
}

/** Shown of the running tasks: those that have run longest. */
const runningShown = 8;

function RunningNow({
  tasks,
  total,
  root,
  now,
}: {
  readonly tasks: readonly ListedTaskDocument[];
  readonly total: number;
  readonly root: string;
  readonly now: number;
}) {
  const longest = tasks.toSorted((a, b) => startOf(a) - startOf(b)).slice(0, runningShown);
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
      {tasks.length === 0 ? (
        <p class="none">Nothing runs.</p>
      ) : (
        <table>
          <tbody>
            {longest.map((task) => (
              <tr>
                <td>
                  <a href={`${root}tasks/${task.id}`}>{task.name}</a> <span class="muted">{task.queue}</span>
                </td>
                <td class="w-bar">
                  {task.progress === null ? (
                    <span class="muted">–</span>
                  ) : (
                    <ProgressBar done={task.progress.done} total={task.progress.total} />
                  )}
                </td>
                <td class="w-time right mono">{stopwatch(now - startOf(task))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
