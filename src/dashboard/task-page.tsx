/** One task: why it waits, what happened to it, what went in and what came out. */

import { formatDuration } from '../core/duration.ts';
import { limits } from '../core/limits.ts';
import { priorities } from '../core/priority.ts';
import { isFinished } from '../core/states.ts';
import type { ExplanationDocument } from '../operations/task.ts';
import type { LogDocument, RunDocument, TaskRecordDocument, TimelineDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { ProgressBar, When } from './components.tsx';
import { Glyph, lookOf, StateWord } from './glyphs.tsx';
import { JsonCard } from './json-card.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { RelativesCards } from './relatives-card.tsx';
import { StepsCard } from './steps-card.tsx';
import { clockTime, count, exactTime, tookOrWaits } from './words.ts';

export interface TaskPageProps {
  readonly frame: PageFrame;
  readonly task: TaskRecordDocument;
  readonly why: ExplanationDocument;
  /** For their names: a task knows only ids. */
  readonly workers: readonly WorkerDocument[];
  readonly logs: readonly LogDocument[];
}

export function TaskPage({ frame, task, why, workers, logs }: TaskPageProps) {
  const nameOf = (workerId: string) => workers.find((worker) => worker.id === workerId)?.name ?? workerId.slice(0, 8);
  return (
    <Layout title={`${task.name} ${task.id.slice(0, 16)}`} current="tasks" frame={frame}>
      <Title task={task} root={frame.root} />
      <Why why={why} />
      <section class="card" aria-label="Facts">
        <Life task={task} now={frame.now} />
        <Facts task={task} worker={task.worker === null ? '–' : nameOf(task.worker)} now={frame.now} />
      </section>
      {task.error === null ? null : <ErrorCard error={task.error} />}
      {task.runs.length === 0 ? null : <Runs runs={task.runs} attempts={task.attempts} nameOf={nameOf} />}
      <RelativesCards task={task} root={frame.root} />
      <StepsCard steps={task.steps} />
      <JsonCard title="Input" value={task.input} href={`${frame.root}api/v1/tasks/${task.id}`} />
      {task.state === 'succeeded' ? (
        <JsonCard title="Result" value={task.result} href={`${frame.root}api/v1/tasks/${task.id}`} />
      ) : null}
      <Logs logs={logs} />
      <Timeline entries={task.timeline} />
    </Layout>
  );
}

function Title({ task, root }: { readonly task: TaskRecordDocument; readonly root: string }) {
  const action = (verb: string) => `${root}tasks/${task.id}/${verb}`;
  return (
    <div class="title">
      <StateWord view={task.view} />
      <h1>{task.name}</h1>
      <code class="muted mono">{task.id}</code>
      <span class="grow" />
      {isFinished(task.state) ? (
        <form method="post" action={action('retry')}>
          <button class="button first" type="submit">
            {task.state === 'succeeded' ? 'Run again' : 'Retry'}
          </button>
        </form>
      ) : (
        <form method="post" action={action('cancel')}>
          <button class="button danger" type="submit" disabled={task.cancelRequestedAt !== null}>
            {task.cancelRequestedAt === null ? 'Cancel' : 'Cancel requested'}
          </button>
        </form>
      )}
    </div>
  );
}

/** The summary is the first gate where there are any: each further one is a line of its own. */
function Why({ why }: { readonly why: ExplanationDocument }) {
  return (
    <section class="card why" aria-label="Why">
      <Glyph view={lookOf(why.view)} />
      <div>
        <div class="strong">{why.summary}</div>
        {why.gates.map(({ sentence, command }, index) => (
          <div class="muted">
            {index === 0 ? null : sentence} {command === null ? null : <code class="command">{command}</code>}
          </div>
        ))}
      </div>
    </section>
  );
}

/** The steps the task took, with the time between them. */
function Life({ task, now }: { readonly task: TaskRecordDocument; readonly now: number }) {
  const waitedMs = task.claimedAt === null ? null : Math.max(0, Date.parse(task.claimedAt) - Date.parse(task.dueAt));
  return (
    <ol class="life">
      <li>
        <div>
          Created
          <span class="under">
            <When at={task.createdAt} now={now} />
          </span>
        </div>
      </li>
      {task.claimedAt === null ? null : (
        <li>
          <div>
            Claimed
            <span class="under">{waitedMs === null ? '' : `waited ${formatDuration(waitedMs)}`}</span>
          </div>
        </li>
      )}
      <li>
        <div>
          <StateWord view={task.view} />
          <span class="under">{lifeEnd(task, now)}</span>
        </div>
      </li>
    </ol>
  );
}

function lifeEnd(task: TaskRecordDocument, now: number): string {
  if (task.tookMs !== null) return `ran ${formatDuration(task.tookMs)}`;
  const words = tookOrWaits(task, now);
  return task.view === 'running' ? `for ${words}` : words === '–' ? 'never ran' : words;
}

interface FactsProps {
  readonly task: TaskRecordDocument;
  readonly worker: string;
  readonly now: number;
}

function Facts({ task, worker, now }: FactsProps) {
  const { progress, tags } = task;
  const facts: readonly (readonly [string, unknown])[] = [
    ['Queue', task.queue],
    ['Priority', priorityWords(task.priority)],
    ['Attempt', `${task.attempt} of ${task.attempts}`],
    ...(task.crashes === 0 ? [] : [['Crashes', `${task.crashes} of ${limits.crashesMax}`] as const]),
    ['Worker', <span title={task.worker ?? undefined}>{worker}</span>],
    ['Timeout', task.timeoutMs === null ? 'none' : formatDuration(task.timeoutMs)],
    ['Due', <When at={task.dueAt} now={now} />],
    ...(task.finishedAt === null ? [] : [['Finished', <When at={task.finishedAt} now={now} />] as const]),
    ...(task.reason === null ? [] : [['Reason', task.reason.replaceAll('_', ' ')] as const]),
    ...(task.cancelReason === null ? [] : [['Cancelled', task.cancelReason] as const]),
    ...(task.group === null ? [] : [['Group', <code>{task.group}</code>] as const]),
    ...(task.key === null ? [] : [['Key', <code>{task.key}</code>] as const]),
    ...(task.generation === 1 ? [] : [['Retried by hand', count(task.generation - 1)] as const]),
    ...(task.startBy === null ? [] : [['Start by', <When at={task.startBy} now={now} />] as const]),
    ...(task.expiresAt === null ? [] : [['Expires', <When at={task.expiresAt} now={now} />] as const]),
    ...(task.pruneAt === null ? [] : [['Removed', <When at={task.pruneAt} now={now} />] as const]),
    ...(tags.length === 0 ? [] : [['Tags', tags.map((tag) => <span class="tag">{tag}</span>)] as const]),
    ...(progress === null ? [] : [['Progress', <Progress progress={progress} />] as const]),
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** "2, high". */
function priorityWords(priority: number): string {
  const name = Object.entries(priorities).find(([, number]) => number === priority)?.[0];
  return name === undefined ? String(priority) : `${priority}, ${name}`;
}

function Progress({ progress }: { readonly progress: NonNullable<TaskRecordDocument['progress']> }) {
  const { done, total, note } = progress;
  return (
    <>
      <ProgressBar done={done} total={total} />
      <span class="under">{`${total === null ? count(done) : `${count(done)} of ${count(total)}`}${note === null ? '' : ` · ${note}`}`}</span>
    </>
  );
}

function ErrorCard({ error }: { readonly error: NonNullable<TaskRecordDocument['error']> }) {
  return (
    <section class="card">
      <header>
        <h2 class="tint-failed">{`${error.name}: ${error.message}`}</h2>
        <span class="grow" />
        <span class="mono muted" title="Equal failures share this fingerprint">
          {error.fingerprint}
        </span>
      </header>
      {error.stack === null ? null : (
        <div class="body">
          <pre>{error.stack}</pre>
        </div>
      )}
    </section>
  );
}

interface RunsProps {
  readonly runs: readonly RunDocument[];
  readonly attempts: number;
  nameOf(workerId: string): string;
}

function Runs({ runs, attempts, nameOf }: RunsProps) {
  return (
    <section class="card runs">
      <header>
        <h2>Ended runs</h2>
        <span class="muted">{count(runs.length)}</span>
      </header>
      {runs.map((run) => (
        <details>
          <summary>
            {`Attempt ${run.attempt} of ${attempts} · ${clockTime(run.endedAt)} · ${runLength(run)} · ${runEnd(run)}`}
            {run.error === null ? null : <span class="tint-failed">{` · ${run.error.message}`}</span>}
          </summary>
          <pre>{`${run.worker === null ? '' : `Worker ${nameOf(run.worker)}\n`}${run.error?.stack ?? run.error?.message ?? 'It ended without an error.'}`}</pre>
        </details>
      ))}
    </section>
  );
}

/** Where the task went: `scheduled` after an error is a retry to a person. */
function runEnd({ to, reason }: RunDocument): string {
  if (to === 'scheduled' && (reason === null || reason === 'error')) return 'tried again';
  return reason === null ? to : `${to}, ${reason.replaceAll('_', ' ')}`;
}

function runLength(run: RunDocument): string {
  return run.startedAt === null
    ? 'never began'
    : `ran ${formatDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt))}`;
}

/** Lines shown at most; the API has all of them. */
const linesMax = 500;

function Logs({ logs }: { readonly logs: readonly LogDocument[] }) {
  if (logs.length === 0) return null;
  const shown = logs.slice(-linesMax);
  return (
    <section class="card">
      <header>
        <h2>Logs</h2>
        <span class="muted">
          {shown.length < logs.length ? `the last ${count(shown.length)} of ${count(logs.length)}` : count(logs.length)}
        </span>
      </header>
      <div class="log">
        {shown.map((line) => (
          <>
            <time class="muted" datetime={line.at} title={exactTime(line.at)}>
              {line.at.slice(11, 23)}
            </time>
            <span class={`level-${line.level}`}>{line.level}</span>
            <span>
              {line.message}
              {line.fields === null ? null : <span class="muted">{` ${JSON.stringify(line.fields)}`}</span>}
            </span>
          </>
        ))}
      </div>
    </section>
  );
}

function Timeline({ entries }: { readonly entries: readonly TimelineDocument[] }) {
  if (entries.length === 0) return null;
  return (
    <section class="card">
      <header>
        <h2>Timeline</h2>
      </header>
      <ol class="timeline">
        {entries
          .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
          .map((entry) => (
            <li>
              <time datetime={entry.at} title={exactTime(entry.at)}>
                {clockTime(entry.at)}
              </time>
              <span>{entry.text}</span>
            </li>
          ))}
      </ol>
    </section>
  );
}
