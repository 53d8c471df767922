/** One task: why it waits, what happened to it, what went in and what came out. */

import { redactedText } from '../core/redact.ts';
import { isFinished } from '../core/states.ts';
import type { ExplanationDocument } from '../operations/task.ts';
import type { LogDocument, TaskRecordDocument, TimelineDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { FactsCard } from './facts-card.tsx';
import { Flash } from './flash.tsx';
import { Glyph, lookOf, StateWord } from './glyphs.tsx';
import { JsonCard } from './json-card.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { LifeCard } from './life-card.tsx';
import { LogCard } from './log-card.tsx';
import { RelativesCards } from './relatives-card.tsx';
import { RunsCard } from './runs-card.tsx';
import { StepsCard } from './steps-card.tsx';
import { clockTime, exactTime } from './words.ts';

export interface TaskPageProps {
  readonly frame: PageFrame;
  readonly task: TaskRecordDocument;
  readonly why: ExplanationDocument;
  /** For their names: a task knows only ids. */
  readonly workers: readonly WorkerDocument[];
  readonly logs: readonly LogDocument[];
  /** The least level of the lines that are shown. */
  readonly level: string;
  /** Whether it is shown with what is hidden of it. */
  readonly isRevealed: boolean;
  /** Whether who asks may change it, remove it, and see what is hidden of it. */
  readonly may: { readonly operate: boolean; readonly remove: boolean; readonly reveal: boolean };
}

export function TaskPage({ frame, task, why, workers, logs, level, isRevealed, may }: TaskPageProps) {
  const { root, now } = frame;
  const nameOf = (workerId: string) => workers.find((worker) => worker.id === workerId)?.name ?? workerId.slice(0, 8);
  const href = `${root}api/v1/tasks/${task.id}`;
  return (
    <Layout title={`${task.name} ${task.id.slice(0, 16)}`} current="tasks" frame={frame}>
      <Title task={task} root={root} may={may} />
      <Flash frame={frame} />
      {isRevealed ? <Revealed task={task} root={root} /> : null}
      {!isRevealed && may.reveal && hidesSomething(task) ? <Reveal task={task} root={root} /> : null}
      <Why why={why} />
      <LifeCard task={task} now={now} />
      <FactsCard task={task} worker={task.worker === null ? '–' : nameOf(task.worker)} root={root} now={now} />
      <RunsCard task={task} nameOf={nameOf} />
      <RelativesCards task={task} root={root} />
      <StepsCard steps={task.steps} />
      <div class="columns even">
        <JsonCard title="Input" value={task.input} href={href} />
        {task.state === 'succeeded' ? <JsonCard title="Output" value={task.result} href={href} /> : null}
      </div>
      <LogCard logs={logs} level={level} />
      <Timeline entries={task.timeline} />
      {may.operate ? <Again task={task} root={root} /> : null}
      <Raw task={task} href={href} />
    </Layout>
  );
}

function Title({ task, root, may }: Pick<TaskPageProps, 'task' | 'may'> & { readonly root: string }) {
  return (
    <div class="title" data-id={task.id}>
      <StateWord view={task.view} />
      <h1>{task.name}</h1>
      <code class="muted mono">{task.id}</code>
      <button class="button small needs-script" type="button" data-copy={task.id} title="Copy the id">
        Copy
      </button>
      <span class="grow" />
      {may.operate ? <Actions task={task} root={root} mayRemove={may.remove} /> : null}
    </div>
  );
}

/** `data-leaves`: the answer is a page of its own, with or without a script. */
function Reveal({ task, root }: { readonly task: TaskRecordDocument; readonly root: string }) {
  return (
    <form class="flash" method="post" action={`${root}tasks/${task.id}/reveal`} data-leaves>
      <span>Values of this task are hidden.</span>{' '}
      <button class="button small" type="submit">
        Show them
      </button>{' '}
      <span class="muted">The audit will say that you looked.</span>
    </form>
  );
}

function Revealed({ task, root }: { readonly task: TaskRecordDocument; readonly root: string }) {
  return (
    <div class="flash" role="status">
      <span>
        Hidden values are shown as they are, and the audit says that you looked. This page is not kept up to date.
      </span>{' '}
      <a class="strong" href={`${root}tasks/${task.id}`}>
        Hide them
      </a>
    </div>
  );
}

function hidesSomething(task: TaskRecordDocument): boolean {
  return JSON.stringify(task).includes(redactedText);
}

interface ActionsProps {
  readonly task: TaskRecordDocument;
  readonly root: string;
  readonly mayRemove: boolean;
}

function Actions({ task, root, mayRemove }: ActionsProps) {
  const action = (verb: string) => `${root}tasks/${task.id}/${verb}`;
  if (!isFinished(task.state))
    return (
      <>
        {task.state === 'scheduled' ? (
          <form method="post" action={action('run-now')}>
            <button class="button first" type="submit">
              Run now
            </button>
          </form>
        ) : null}
        <form method="post" action={action('cancel')}>
          <button class="button danger" type="submit" disabled={task.cancelRequestedAt !== null} data-key="C">
            {task.cancelRequestedAt === null ? 'Cancel' : 'Cancel requested'}
          </button>
        </form>
      </>
    );
  return (
    <>
      <form method="post" action={action('retry')}>
        <button class="button first" type="submit" data-key="r">
          {task.state === 'succeeded' ? 'Run again' : 'Retry'}
        </button>
      </form>
      {mayRemove ? (
        <form method="post" action={action('remove')}>
          <button class="button danger" type="submit" data-key="D">
            Remove
          </button>
        </form>
      ) : null}
    </>
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

function Timeline({ entries }: { readonly entries: readonly TimelineDocument[] }) {
  if (entries.length === 0) return null;
  return (
    <section class="card" id="timeline" aria-label="Timeline">
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

/** A longer input is not for a text field. */
const editMax = 64 * 1024;

/** Another task of the same name, with an input that may be changed first. */
function Again({ task, root }: { readonly task: TaskRecordDocument; readonly root: string }) {
  const text = JSON.stringify(task.input, null, 2) ?? 'null';
  if (text.length > editMax) return null;
  return (
    <section class="card" aria-label="Edit and run again">
      <details>
        <summary>Edit and run again</summary>
        <form class="body again" method="post" action={`${root}tasks`}>
          <input type="hidden" name="name" value={task.name} />
          <input type="hidden" name="queue" value={task.queue} />
          <label>
            Input as JSON
            <textarea name="input" rows={Math.min(16, text.split('\n').length + 1)} spellcheck={false}>
              {text}
            </textarea>
          </label>
          <button class="button first" type="submit">
            Run as a new task
          </button>
        </form>
      </details>
    </section>
  );
}

/** Everything there is, but what has a card of its own. */
function Raw({ task, href }: { readonly task: TaskRecordDocument; readonly href: string }) {
  const { input: _input, result: _result, timeline: _timeline, runs: _runs, steps: _steps, ...rest } = task;
  return (
    <section class="card" id="raw" aria-label="Raw">
      <details>
        <summary>
          Raw <span class="muted">all fields</span>
        </summary>
        <pre>{JSON.stringify(rest, null, 2)}</pre>
        <div class="pages">
          <a class="strong" href={href}>
            The whole document
          </a>
        </div>
      </details>
    </section>
  );
}
