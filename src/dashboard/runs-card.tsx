/** The runs of a task that have ended: when, where, how long, how, and with which error. */

import { formatDuration } from '../core/duration.ts';
import type { RunDocument, TaskRecordDocument } from '../operations/task-document.ts';
import { StateWord } from './glyphs.tsx';
import { Stack } from './stack.tsx';
import { clockTime, count, exactTime } from './words.ts';

interface RunsProps {
  readonly task: TaskRecordDocument;
  nameOf(workerId: string): string;
}

/** Runs shown at most, the newest of them: the API has all. */
const shownMax = 50;

/** The error of a task stands with the run it ended; alone where that run is not told of. */
export function RunsCard({ task, nameOf }: RunsProps) {
  const { runs, error } = task;
  if (runs.length === 0 && error === null) return null;
  const from = Math.max(0, runs.length - shownMax);
  return (
    <section class="card runs" id="attempts" aria-label="Attempts">
      <header>
        <h2>Attempts</h2>
        <span class="muted">{`${task.attempt} of ${task.attempts}`}</span>
        <span class="grow" />
        {error === null ? null : (
          <span class="muted">
            {'last error '}
            <code title="Equal failures share this fingerprint">{error.fingerprint}</code>
          </span>
        )}
      </header>
      {runs.length === 0 && error !== null ? <Told error={error} /> : null}
      {runs
        .slice(from)
        .map((run, index) => (
          <Run run={run} index={from + index} runs={runs} isLast={from + index === runs.length - 1} nameOf={nameOf} />
        ))
        .reverse()}
      {from === 0 ? null : <div class="pages">{`The last ${count(shownMax)} of ${count(runs.length)}.`}</div>}
    </section>
  );
}

interface RunProps extends Pick<RunsProps, 'nameOf'> {
  readonly run: RunDocument;
  readonly index: number;
  readonly runs: readonly RunDocument[];
  readonly isLast: boolean;
}

function Run({ run, index, runs, isLast, nameOf }: RunProps) {
  const { error } = run;
  const twin = runs.slice(0, index).find((other) => error !== null && other.error?.fingerprint === error.fingerprint);
  return (
    <details id={`run-${index}`} open={isLast && error !== null}>
      <summary>
        <StateWord view={run.to === 'scheduled' ? 'retrying' : run.to} word={runEnd(run)} />
        <span>{`Attempt ${run.attempt}`}</span>
        <span class="muted">
          <time datetime={run.endedAt} title={exactTime(run.endedAt)}>
            {clockTime(run.endedAt)}
          </time>
          {` · ${runLength(run)}${run.worker === null ? '' : ` · ${nameOf(run.worker)}`}`}
        </span>
        {error === null ? null : <span class="tint-failed message">{error.message}</span>}
        {twin === undefined ? null : <span class="muted">{`same error as attempt ${twin.attempt}`}</span>}
      </summary>
      {error === null ? <p class="none">It ended without an error.</p> : <Told error={error} />}
    </details>
  );
}

function Told({ error }: { readonly error: NonNullable<RunDocument['error']> }) {
  return (
    <div class="body">
      <div class="strong tint-failed error-line">{`${error.name}: ${error.message}`}</div>
      {error.stack === null ? null : <Stack text={error.stack} />}
    </div>
  );
}

/** Where the task went: `scheduled` after an error is a retry to a person. */
function runEnd({ to, reason }: RunDocument): string {
  if (to === 'scheduled' && (reason === null || reason === 'error')) return 'Tried again';
  const word = to.charAt(0).toUpperCase() + to.slice(1);
  return reason === null || reason === 'error' ? word : `${word}, ${reason.replaceAll('_', ' ')}`;
}

function runLength(run: RunDocument): string {
  return run.startedAt === null
    ? 'never began'
    : `ran ${formatDuration(Date.parse(run.endedAt) - Date.parse(run.startedAt))}`;
}
