/** The schedules: when each is due next, and what became of its last times. */

import type { FiringDocument, ScheduleDocument } from '../operations/schedule-document.ts';
import { When } from './components.tsx';
import { Glyph } from './glyphs.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { count, exactTime } from './words.ts';

export interface SchedulesProps {
  readonly frame: PageFrame;
  readonly schedules: readonly ScheduleDocument[];
  /** The name that the next page begins behind; `null` for the last one. */
  readonly next: string | null;
}

export function Schedules({ frame, schedules, next }: SchedulesProps) {
  return (
    <Layout title="Schedules" current="schedules" frame={frame}>
      <div class="title">
        <h1>Schedules</h1>
      </div>
      <section class="card" aria-label="Schedules">
        {schedules.length === 0 ? <NoSchedules /> : <Table frame={frame} schedules={schedules} />}
        {next === null ? null : (
          <nav class="pages" aria-label="Pages">
            <a class="button small" href={`${frame.root}schedules?after=${encodeURIComponent(next)}`}>
              Next
            </a>
          </nav>
        )}
      </section>
    </Layout>
  );
}

function NoSchedules() {
  return (
    <div class="none">
      <p>
        No schedules. One is an export of a task file:{' '}
        <code>{"export const nightly = buildReport.schedule('report.nightly', { cron: '30 2 * * *', input: … })"}</code>
      </p>
    </div>
  );
}

function Table({ frame, schedules }: Pick<SchedulesProps, 'frame' | 'schedules'>) {
  return (
    <table>
      <thead>
        <tr>
          <th class="w-name">Schedule</th>
          <th class="hide">When</th>
          <th class="hide">Task</th>
          <th class="w-when right">Next</th>
          <th class="w-when right">Last</th>
          <th class="w-action right">
            <span class="unseen">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {schedules.map((schedule) => (
          <Row frame={frame} schedule={schedule} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ frame: { root, now }, schedule }: { readonly frame: PageFrame; readonly schedule: ScheduleDocument }) {
  const { name, words, task, next, recent, pause } = schedule;
  const [upcoming] = next;
  const [last] = recent;
  return (
    <tr>
      <td>
        <a class="strong" href={`${root}schedules/${encodeURIComponent(name)}`}>
          {name}
        </a>
        <Notes schedule={schedule} />
      </td>
      <td class="hide" title={schedule.cron ?? undefined}>
        {words}
      </td>
      <td class="hide">{task}</td>
      <td class="right">{upcoming === undefined ? 'never again' : <When at={upcoming} now={now} />}</td>
      <td class="right">{last === undefined ? '–' : <Last root={root} now={now} last={last} />}</td>
      <td class="right">
        <PauseForm root={root} name={name} isPaused={pause !== null} />
      </td>
    </tr>
  );
}

/** What a person should know of it, below its name. */
export function Notes({ schedule: { pause, orphaned } }: { readonly schedule: ScheduleDocument }) {
  return (
    <>
      {pause === null ? null : (
        <span
          class="under"
          title={exactTime(pause.at)}
        >{`paused by ${pause.by}${pause.reason === null ? '' : `: ${pause.reason}`}`}</span>
      )}
      {orphaned ? <span class="under tint-failed">no living worker has its code</span> : null}
    </>
  );
}

function Last({ root, now, last }: { readonly root: string; readonly now: number; readonly last: FiringDocument }) {
  if (last.reason !== null)
    return (
      <span title={`${exactTime(last.at)}: ${firingWords(last)}`}>
        <Glyph view="cancelled" /> {last.reason}
      </span>
    );
  return (
    <a href={`${root}tasks/${last.taskId}`}>
      <When at={last.at} now={now} />
    </a>
  );
}

export function PauseForm({
  root,
  name,
  isPaused,
  isSmall = true,
}: {
  readonly root: string;
  readonly name: string;
  readonly isPaused: boolean;
  /** As in the row of a table. */
  readonly isSmall?: boolean;
}) {
  const verb = isPaused ? 'Resume' : 'Pause';
  return (
    <form method="post" action={`${root}schedules/${encodeURIComponent(name)}/${verb.toLowerCase()}`}>
      <button class={isSmall ? 'button small' : 'button'} type="submit" aria-label={`${verb} ${name}`}>
        {verb}
      </button>
    </form>
  );
}

/** What became of one time, in a few words. */
export function firingWords({ reason, count: times, asked }: FiringDocument): string {
  if (reason === null) return asked ? 'run by hand' : 'run';
  const many = times === 1 ? '' : times === null ? ', more than 1,000 times' : `, ${count(times)} times`;
  const words = {
    missed: 'missed: nothing ran when it was due',
    paused: 'left out: paused',
    overlap: 'left out: the last run was unfinished',
    key: 'left out: another task holds its key',
  } as const;
  return `${words[reason]}${many}`;
}
