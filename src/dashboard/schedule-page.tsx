/** One schedule: its next times, what a change of clocks does to them, and what became of its last ones. */

import { formatDuration } from '../core/duration.ts';
import type { FiringDocument, ScheduleDocument, ScheduleTimeDocument } from '../operations/schedule-document.ts';
import { When } from './components.tsx';
import { Glyph } from './glyphs.tsx';
import { JsonCard } from './json-card.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { firingWords, Notes, PauseForm } from './schedules.tsx';
import { exactTime } from './words.ts';

export interface SchedulePageProps {
  readonly frame: PageFrame;
  readonly schedule: ScheduleDocument;
  readonly times: readonly ScheduleTimeDocument[];
}

export function SchedulePage({ frame, schedule, times }: SchedulePageProps) {
  const { name, madeInWorker, input } = schedule;
  const { root, now } = frame;
  return (
    <Layout title={`${name} · Schedules`} current="schedules" frame={frame}>
      <div class="title">
        <h1>{name}</h1>
        <span class="muted">{schedule.state}</span>
        <span class="grow" />
        <form method="post" action={`${root}schedules/${encodeURIComponent(name)}/run`}>
          <button class="button first" type="submit">
            Run now
          </button>
        </form>
        <PauseForm root={root} name={name} isPaused={schedule.pause !== null} isSmall={false} />
      </div>
      <section class="card" aria-label="Facts">
        <Facts schedule={schedule} />
      </section>
      <div class="columns">
        <Next times={times} zone={schedule.timezone ?? 'UTC'} now={now} note={schedule.clockNote} />
        <Recent recent={schedule.recent} root={root} now={now} />
      </div>
      {madeInWorker ? null : (
        <JsonCard title="Input" value={input} href={`${root}api/v1/schedules/${encodeURIComponent(name)}`} />
      )}
    </Layout>
  );
}

function Facts({ schedule }: { readonly schedule: ScheduleDocument }) {
  const { words, cron, task, queue, overlap, catchUp, jitterMs, file, madeInWorker } = schedule;
  const facts: readonly (readonly [string, string | null])[] = [
    ['When', words],
    ['Cron', cron],
    ['Task', task],
    ['Queue', queue],
    ['Overlap', overlap],
    ['Catch-up', catchUp],
    ['Jitter', jitterMs === 0 ? null : `up to ${formatDuration(jitterMs)}`],
    ['Input', madeInWorker ? 'made in the worker' : null],
    ['File', file],
  ];
  return (
    <>
      <dl class="facts">
        {facts.map(([label, text]) =>
          text === null ? null : (
            <div>
              <dt>{label}</dt>
              <dd>{text}</dd>
            </div>
          ),
        )}
      </dl>
      <Notes schedule={schedule} />
    </>
  );
}

interface NextProps {
  readonly times: readonly ScheduleTimeDocument[];
  readonly zone: string;
  readonly now: number;
  readonly note: string | null;
}

function Next({ times, zone, now, note }: NextProps) {
  return (
    <section class="card" aria-label="Next times">
      <header>
        <h2>Next times</h2>
        <span class="muted">{zone}</span>
      </header>
      <table>
        <tbody>
          {times.map((time) => (
            <tr>
              <td>
                <span title={exactTime(time.at)}>{time.local}</span>
                {time.note === null ? null : <span class="under tint-retrying">{time.note}</span>}
              </td>
              <td class="w-when right muted">
                <When at={time.at} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {times.length === 0 ? <p class="none">It has ended: there is no time any more.</p> : null}
      {note === null ? null : <p class="none muted">{note}</p>}
    </section>
  );
}

function Recent({
  recent,
  root,
  now,
}: {
  readonly recent: readonly FiringDocument[];
  readonly root: string;
  readonly now: number;
}) {
  return (
    <section class="card" aria-label="Last times">
      <header>
        <h2>Last times</h2>
      </header>
      <table>
        <tbody>
          {recent.map((one) => (
            <tr>
              <td>
                <Glyph view={one.reason === null ? 'succeeded' : 'cancelled'} />{' '}
                {one.taskId === null ? firingWords(one) : <a href={`${root}tasks/${one.taskId}`}>{firingWords(one)}</a>}
              </td>
              <td class="w-when right muted">
                <When at={one.at} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {recent.length === 0 ? <p class="none">Nothing yet.</p> : null}
    </section>
  );
}
