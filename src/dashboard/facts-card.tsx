/** What is known of a task in single words and times. */

import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { priorities } from '../core/priority.ts';
import type { TaskRecordDocument } from '../operations/task-document.ts';
import { ProgressBar, When } from './components.tsx';
import { filterWord } from './filter-words.ts';
import { listHref } from './task-filter.tsx';
import { count } from './words.ts';

interface FactsProps {
  readonly task: TaskRecordDocument;
  readonly worker: string;
  readonly root: string;
  readonly now: number;
}

type Fact = readonly [name: string, value: unknown];

export function FactsCard(props: FactsProps) {
  const { task } = props;
  return (
    <section class="card" aria-label="Facts">
      {task.progress === null ? null : <Progress progress={task.progress} />}
      <dl class="facts">
        {[...whereFacts(props), ...whenFacts(props), ...nameFacts(props)].map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function whereFacts({ task, worker, root }: FactsProps): readonly Fact[] {
  return [
    ['Queue', <a href={listHref(root, `queue:${filterWord(task.queue)}`)}>{task.queue}</a>],
    ['Priority', priorityWords(task.priority)],
    ['Attempt', `${task.attempt} of ${task.attempts}`],
    ...(task.crashes === 0 ? [] : [['Crashes', `${task.crashes} of ${limits.crashesMax}`] as const]),
    ['Worker', <span title={task.worker ?? undefined}>{worker}</span>],
    ['Timeout', task.timeoutMs === null ? 'none' : formatDuration(task.timeoutMs)],
  ];
}

function whenFacts({ task, now }: FactsProps): readonly Fact[] {
  return [
    ['Due', <When at={task.dueAt} now={now} />],
    ...(task.finishedAt === null ? [] : [['Finished', <When at={task.finishedAt} now={now} />] as const]),
    ...(task.startBy === null ? [] : [['Start by', <When at={task.startBy} now={now} />] as const]),
    ...(task.expiresAt === null ? [] : [['Expires', <When at={task.expiresAt} now={now} />] as const]),
    ...(task.pruneAt === null ? [] : [['Removed', <When at={task.pruneAt} now={now} />] as const]),
  ];
}

function nameFacts({ task, root }: FactsProps): readonly Fact[] {
  const { tags, schedule } = task;
  const tagOf = (tag: string) => (
    <a class="tag" href={listHref(root, `tag:${filterWord(tag)}`)}>
      {tag}
    </a>
  );
  return [
    ...(task.reason === null ? [] : [['Reason', task.reason.replaceAll('_', ' ')] as const]),
    ...(task.cancelReason === null ? [] : [['Cancelled', task.cancelReason] as const]),
    ...(task.group === null ? [] : [['Group', <code>{task.group}</code>] as const]),
    ...(task.key === null ? [] : [['Key', <code>{task.key}</code>] as const]),
    ...(schedule === null
      ? []
      : [['Schedule', <a href={`${root}schedules/${encodeURIComponent(schedule.name)}`}>{schedule.name}</a>] as const]),
    ...(task.generation === 1 ? [] : [['Retried by hand', count(task.generation - 1)] as const]),
    ...(tags.length === 0 ? [] : [['Tags', tags.map(tagOf)] as const]),
  ];
}

/** "2, high". */
function priorityWords(priority: number): string {
  const name = Object.entries(priorities).find(([, number]) => number === priority)?.[0];
  return name === undefined ? String(priority) : `${priority}, ${name}`;
}

function Progress({ progress }: { readonly progress: NonNullable<TaskRecordDocument['progress']> }) {
  const { done, total, note } = progress;
  return (
    <div class="progress">
      <ProgressBar done={done} total={total} />
      <span class="under">{`${total === null ? count(done) : `${count(done)} of ${count(total)}`}${note === null ? '' : ` · ${note}`}`}</span>
    </div>
  );
}
