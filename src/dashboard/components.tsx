/** The pieces several pages share. */

import type { TaskView } from '../core/states.ts';
import type { MinuteDocument } from '../operations/system.ts';
import { lookOf, type ShownView, shownViews } from './glyphs.tsx';
import { ago, count, exactTime } from './words.ts';

/** A time as people say it, with the exact one as its title. */
export function When({ at, now }: { readonly at: string; readonly now: number }) {
  return (
    <time datetime={at} title={exactTime(at)}>
      {ago(at, now)}
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

/** Succeeded as an area, failed stacked in front of it, one step a minute. */
export function ActivityChart({ minutes }: { readonly minutes: readonly MinuteDocument[] }) {
  const width = 900;
  const height = 150;
  const top = Math.max(4, ...minutes.map((minute) => Math.max(minute.succeeded, minute.failed))) * 1.1;
  const x = (index: number) => ((index / Math.max(1, minutes.length - 1)) * width).toFixed(1);
  const y = (value: number) => (height - (value / top) * height).toFixed(1);
  const points = (read: (minute: MinuteDocument) => number) =>
    minutes.map((minute, index) => `${x(index)},${y(read(minute))}`).join(' ');
  const succeeded = points((minute) => minute.succeeded);
  const failed = points((minute) => minute.failed);
  return (
    <svg
      class="chart"
      viewBox={`0 -4 ${width} ${height + 6}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={activityWords(minutes)}
    >
      {[0.25, 0.5, 0.75].map((part) => (
        <line class="line" x1="0" x2={width} y1={part * height} y2={part * height} />
      ))}
      <polygon class="area fill-succeeded" points={`${succeeded} ${width},${height} 0,${height}`} />
      <polyline class="edge" points={succeeded} />
      <polygon class="stack fill-failed" points={`${failed} ${width},${height} 0,${height}`} />
      <line class="line" x1="0" x2={width} y1={height} y2={height} />
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

function activityWords(minutes: readonly MinuteDocument[]): string {
  return `Finished per minute, last ${minutes.length} minutes: ${count(sumOf(minutes, 'succeeded'))} succeeded and ${count(sumOf(minutes, 'failed'))} failed in all`;
}
