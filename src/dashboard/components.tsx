/** The pieces several pages share. */

import type { TaskView } from '../core/states.ts';
import type { MinuteDocument } from '../operations/system.ts';
import { lookOf, type ShownView, shownViews } from './glyphs.tsx';
import { ago, count, exactTime, type TimedTask, tookOrWaits } from './words.ts';

/** How a time goes on while the page is open: since it, as a stopwatch, or until it. */
export type Tick = 'ago' | 'stopwatch' | 'for' | 'waits' | 'in';

/** A time as people say it, with the exact one as its title. */
export function When({ at, now }: { readonly at: string; readonly now: number }) {
  return (
    <time datetime={at} title={exactTime(at)} data-tick="ago">
      {ago(at, now)}
    </time>
  );
}

/** How long a task took, or how it stands with the time: what runs and waits goes on ticking. */
export function Took({ task, now }: { readonly task: TimedTask; readonly now: number }) {
  const { view, dueAt } = task;
  const text = tookOrWaits(task, now);
  if (view === 'running')
    return (
      <time datetime={task.startedAt ?? task.claimedAt ?? dueAt} data-tick="for">
        {text}
      </time>
    );
  const tick: Tick | null =
    view === 'queued' || view === 'blocked' ? 'waits' : view === 'scheduled' || view === 'retrying' ? 'in' : null;
  if (tick === null) return <>{text}</>;
  return (
    <time datetime={dueAt} title={exactTime(dueAt)} data-tick={tick}>
      {text}
    </time>
  );
}

/** Counts by look: what expired is counted with the cancelled. */
export function countsByLook(counts: Readonly<Partial<Record<TaskView, number>>>): Readonly<Record<ShownView, number>> {
  const sums: Record<ShownView, number> = {
    scheduled: 0,
    queued: 0,
    blocked: 0,
    running: 0,
    retrying: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
  };
  for (const [view, number] of Object.entries(counts)) sums[lookOf(view as TaskView)] += number;
  return sums;
}

/** What is unfinished in a queue, in proportion. Drawn as SVG because a style attribute is not allowed here. */
export function ProportionBar({ counts }: { readonly counts: Readonly<Partial<Record<TaskView, number>>> }) {
  const sums = countsByLook(counts);
  const parts = shownViews.slice(0, 5).filter((view) => sums[view] > 0);
  const total = parts.reduce((sum, view) => sum + sums[view], 0);
  const words = parts.map((view) => `${count(sums[view])} ${view}`).join(', ');
  let x = 0;
  return (
    <svg
      class="bar"
      viewBox="0 0 1000 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={words === '' ? 'nothing waits or runs' : words}
    >
      {parts.map((view) => {
        const width = ((sums[view] ?? 0) / total) * 1000;
        const part = (
          <rect class={`fill-${view}`} x={x.toFixed(1)} y="0" width={Math.max(width - 2, 1).toFixed(1)} height="8" />
        );
        x += width;
        return part;
      })}
    </svg>
  );
}

/** The last hour of a queue in a few strokes. */
export function Sparkline({ values, label }: { readonly values: readonly number[]; readonly label: string }) {
  const top = Math.max(1, ...values);
  const points = values.map((value, index) => {
    const x = (index / Math.max(1, values.length - 1)) * 96;
    return `${x.toFixed(1)},${(18 - (value / top) * 16).toFixed(1)}`;
  });
  return (
    <svg class="spark" width="96" height="20" viewBox="0 0 96 20" role="img" aria-label={label}>
      <polyline points={points.join(' ')} />
    </svg>
  );
}

/** How far a task is; a dash when it has not said. */
export function ProgressBar({ done, total }: { readonly done: number; readonly total: number | null }) {
  if (total === null || total <= 0) return <span class="muted">{count(done)}</span>;
  const part = Math.min(1, Math.max(0, done / total));
  return (
    <svg
      class="bar"
      viewBox="0 0 1000 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${Math.round(part * 100)} %`}
    >
      <rect class="fill-running" x="0" y="0" width={(part * 1000).toFixed(0)} height="8" />
    </svg>
  );
}

/** Sums over the minutes of a chart. */
export function sumOf(
  minutes: readonly MinuteDocument[],
  field: 'succeeded' | 'failed' | 'cancelled' | 'retried',
): number {
  return minutes.reduce((sum, minute) => sum + minute[field], 0);
}
