/** What finished per minute: a picture from the server, drawn anew where there is a script, and the same as a table. */

import type { ActivityDocument, MinuteDocument } from '../operations/system.ts';
import { sumOf } from './components.tsx';
import { StateWord } from './glyphs.tsx';
import { count } from './words.ts';

/** The spans of time a chart may show, in minutes, with their words. */
export const chartSpans = [
  ['1h', 60, '1 h', 'last hour'],
  ['6h', 360, '6 h', 'last 6 hours'],
  ['24h', 1_440, '24 h', 'last 24 hours'],
  ['7d', 10_080, '7 d', 'last 7 days'],
] as const;
export type ChartSpan = (typeof chartSpans)[number];

/** Points a chart has at most: more are neither seen nor worth their weight. */
const pointsMax = 120;
/** Rows of the table. */
const rowsMax = 12;

export function ChartCard({
  activity: { minutes, stepMinutes },
  span,
}: {
  readonly activity: Pick<ActivityDocument, 'minutes' | 'stepMinutes'>;
  readonly span: ChartSpan;
}) {
  const points = merge(minutes, stepMinutes);
  const [succeeded, failed] = [sumOf(minutes, 'succeeded'), sumOf(minutes, 'failed')];
  const words = `Finished per minute, ${span[3]}: ${count(succeeded)} succeeded and ${count(failed)} failed in all`;
  const times = points.map(({ at }) => Date.parse(at) / 1_000);
  const data = [times, points.map((point) => point.succeeded), points.map((point) => point.failed)];
  return (
    <section class="card">
      <header>
        <h2>Finished per minute</h2>
        <span class="muted small" data-cursor aria-hidden="true" />
        <span class="grow" />
        <StateWord view="succeeded" word={`Succeeded ${count(succeeded)}`} />
        <StateWord view="failed" word={`Failed ${count(failed)}`} />
      </header>
      <div class="body chart">
        <tf-chart points={JSON.stringify(data)} role="img" aria-label={words}>
          <Picture points={points} isDays={stepMinutes > 1} />
        </tf-chart>
      </div>
      <details class="as-table">
        <summary>Show as table</summary>
        <Numbers minutes={minutes} isDays={stepMinutes > 1} />
      </details>
    </section>
  );
}

/** Succeeded as an area, failed in front of it. */
function Picture({ points, isDays }: { readonly points: readonly MinuteDocument[]; readonly isDays: boolean }) {
  const [width, height] = [900, 164];
  const top = Math.max(4, ...points.map((point) => Math.max(point.succeeded, point.failed))) * 1.1;
  const x = (index: number) => ((index / Math.max(1, points.length - 1)) * width).toFixed(1);
  const line = (read: (point: MinuteDocument) => number) =>
    points.map((point, index) => `${x(index)},${(height - (read(point) / top) * height).toFixed(1)}`).join(' ');
  const succeeded = line((point) => point.succeeded);
  const failed = line((point) => point.failed);
  return (
    <>
      <svg class="picture" viewBox={`0 -2 ${width} ${height + 4}`} preserveAspectRatio="none" aria-hidden="true">
        {[0.25, 0.5, 0.75, 1].map((part) => (
          <line class="line" x1="0" x2={width} y1={part * height} y2={part * height} />
        ))}
        <polygon class="area fill-succeeded" points={`${succeeded} ${width},${height} 0,${height}`} />
        <polyline class="edge" points={succeeded} />
        <polygon class="stack fill-failed" points={`${failed} ${width},${height} 0,${height}`} />
      </svg>
      <div class="axis" aria-hidden="true">
        <span>{startOf(points, isDays)}</span>
        <span>now</span>
      </div>
    </>
  );
}

/** Of the day, and of the year where days are shown. */
function startOf([first]: readonly MinuteDocument[], isDays: boolean): string {
  if (first === undefined) return '';
  return isDays ? first.at.slice(5, 16).replace('T', ' ') : first.at.slice(11, 16);
}

function Numbers({ minutes, isDays }: { readonly minutes: readonly MinuteDocument[]; readonly isDays: boolean }) {
  const step = Math.ceil(minutes.length / rowsMax);
  const rows = Array.from({ length: Math.ceil(minutes.length / step) }, (_, index) =>
    minutes.slice(index * step, (index + 1) * step),
  ).reverse();
  return (
    <table>
      <thead>
        <tr>
          <th>From (UTC)</th>
          <th class="right">Succeeded</th>
          <th class="right">Failed</th>
          <th class="right">Cancelled</th>
          <th class="right">Retried</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((part) => (
          <tr>
            <td>{startOf(part, isDays)}</td>
            <td class="right">{count(sumOf(part, 'succeeded'))}</td>
            <td class="right">{count(sumOf(part, 'failed'))}</td>
            <td class="right">{count(sumOf(part, 'cancelled'))}</td>
            <td class="right">{count(sumOf(part, 'retried'))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** As many points as are seen, each with the average of a minute: neighbours become one. */
function merge(minutes: readonly MinuteDocument[], stepMinutes: number): readonly MinuteDocument[] {
  const size = Math.ceil(minutes.length / pointsMax);
  if (size <= 1 && stepMinutes === 1) return minutes;
  return Array.from({ length: Math.ceil(minutes.length / size) }, (_, index) => {
    const part = minutes.slice(index * size, (index + 1) * size);
    const average = (field: 'succeeded' | 'failed' | 'cancelled' | 'retried') =>
      Math.round((sumOf(part, field) / part.length / stepMinutes) * 10) / 10;
    return {
      at: part[0]?.at ?? '',
      succeeded: average('succeeded'),
      failed: average('failed'),
      cancelled: average('cancelled'),
      retried: average('retried'),
    };
  });
}
