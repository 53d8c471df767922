/** Where a task stands among the states it may go through, with the times between them and a dot for each attempt. */

import { formatDuration } from '../core/duration.ts';
import type { TaskView } from '../core/states.ts';
import type { RunDocument, TaskRecordDocument } from '../operations/task-document.ts';
import { Took, When } from './components.tsx';
import { lookOf, type ShownView, StateWord } from './glyphs.tsx';

interface LifeProps {
  readonly task: TaskRecordDocument;
  readonly now: number;
}

/** Attempts with a dot of their own. */
const dotsMax = 20;

export function LifeCard({ task, now }: LifeProps) {
  const look = lookOf(task.view);
  const waitedMs = task.claimedAt === null ? null : Math.max(0, Date.parse(task.claimedAt) - Date.parse(task.dueAt));
  const hasParents = task.parents.length > 0;
  const first: ShownView = hasParents || look === 'blocked' ? 'blocked' : 'scheduled';
  const wasHeld = hasParents || Date.parse(task.dueAt) - Date.parse(task.createdAt) > 1_000;
  return (
    <section class="card" aria-label="Where it stands">
      <ol class="life">
        <li>
          <Box now={look === first} was={wasHeld} view={first}>
            {'created '}
            <When at={task.createdAt} now={now} />
          </Box>
        </li>
        <li>
          <Box now={look === 'queued'} was={task.claimedAt !== null} view="queued">
            {look === 'queued' ? (
              <Took task={task} now={now} />
            ) : waitedMs === null ? (
              'not yet'
            ) : (
              `waited ${formatDuration(waitedMs)}`
            )}
          </Box>
        </li>
        <li>
          <Box now={look === 'running'} was={task.claimedAt !== null} view="running">
            <Run task={task} now={now} />
          </Box>
        </li>
        <li class="ends">
          <Ends task={task} look={look} now={now} />
        </li>
      </ol>
    </section>
  );
}

interface BoxProps {
  readonly now: boolean;
  readonly was: boolean;
  readonly view: TaskView;
  readonly children?: unknown;
}

function Box({ now, was, view, children }: BoxProps) {
  return (
    <div class={now ? `box now tint-${view}` : was ? 'box was' : 'box'} aria-current={now ? 'step' : undefined}>
      <StateWord view={view} />
      <span class="under">{children}</span>
    </div>
  );
}

function Run({ task, now }: LifeProps) {
  const words =
    task.view === 'running' ? (
      <Took task={task} now={now} />
    ) : task.tookMs !== null ? (
      `ran ${formatDuration(task.tookMs)}`
    ) : (
      `attempt ${task.attempt} of ${task.attempts}`
    );
  return (
    <>
      {words}
      {task.runs.length === 0 ? null : (
        <span class="dots">
          {task.runs.slice(-dotsMax).map((run, index) => (
            <a
              class={`dot fill-${dotOf(run)}`}
              href={`#run-${Math.max(0, task.runs.length - dotsMax) + index}`}
              title={`Attempt ${run.attempt}: ${run.error?.message ?? run.to}`}
            >
              <span class="unseen">{`Attempt ${run.attempt}`}</span>
            </a>
          ))}
        </span>
      )}
    </>
  );
}

/** A run that ended to wait for what it brought along has not failed. */
function dotOf({ to }: RunDocument): ShownView {
  return to === 'succeeded' || to === 'cancelled' || to === 'blocked' ? to : 'failed';
}

/** The four ways on from a run; the others stay pale. */
function Ends({ task, look, now }: LifeProps & { readonly look: ShownView }) {
  const wasRetried = task.runs.some((run) => run.to === 'scheduled');
  return (
    <>
      {(['retrying', 'succeeded', 'failed', 'cancelled'] as const).map((view) => (
        <Box now={look === view} was={view === 'retrying' && wasRetried} view={look === view ? task.view : view}>
          {look !== view ? (
            ''
          ) : task.finishedAt === null ? (
            <Took task={task} now={now} />
          ) : (
            <When at={task.finishedAt} now={now} />
          )}
        </Box>
      ))}
    </>
  );
}
