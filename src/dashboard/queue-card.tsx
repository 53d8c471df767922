/** The queues: what waits in them, who listens, and the buttons that hold them and let them go. */

import { formatDuration } from '../core/duration.ts';
import { rateText } from '../core/rate-text.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { ActivityDocument, QueueActivityDocument } from '../operations/system.ts';
import { ProportionBar, Sparkline } from './components.tsx';
import { activityOf } from './concern.ts';
import { filterWord } from './filter-words.ts';
import type { PageFrame } from './layout.tsx';
import { count, exactTime } from './words.ts';

/** From here on a wait is shown in red. */
const longWaitMs = 5 * 60_000;

interface QueuesProps {
  readonly queues: readonly QueueDocument[];
  /** `null` while the record is away. */
  readonly activity: ActivityDocument | null;
  /** In words, of what the small curves show. */
  readonly span: string;
  readonly frame: PageFrame;
}

export function QueueCard({ queues, activity, span, frame: { root } }: QueuesProps) {
  return (
    <section class="card" id="queues" aria-label="Queues">
      <header>
        <h2>Queues</h2>
        <span class="muted">{count(queues.length)}</span>
      </header>
      <table>
        <thead>
          <tr>
            <th class="w-name">Queue</th>
            <th class="hide">In the queue</th>
            <th class="w-took right">Waiting</th>
            <th class="w-rate right hide">Rate</th>
            <th class="w-wait right hide">Oldest waits</th>
            <th class="w-small right">Slots</th>
            <th class="w-spark hide">{span === '' ? '' : sentence(span)}</th>
            <th class="w-action right">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <QueueRow queue={queue} activity={activityOf(activity, queue.name)} span={span} root={root} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  readonly queue: QueueDocument;
  readonly activity: QueueActivityDocument | undefined;
  readonly span: string;
  readonly root: string;
}

function QueueRow({ queue, activity, span, root }: RowProps) {
  const { name, pause, waiting, oldestWaitMs } = queue;
  const late = oldestWaitMs !== null && oldestWaitMs >= longWaitMs;
  return (
    <tr>
      <td>
        <a class="strong" href={`${root}tasks?q=${encodeURIComponent(`queue:${filterWord(name)}`)}`}>
          {name}
        </a>
        {pause === null ? null : (
          <span
            class="under"
            title={exactTime(pause.at)}
          >{`paused by ${pause.by}${pause.reason === null ? '' : `: ${pause.reason}`}`}</span>
        )}
        {queue.max === null && queue.rate === null ? null : <span class="under">{`at most ${limitWords(queue)}`}</span>}
      </td>
      <td class="hide">
        <ProportionBar counts={queue.counts} />
      </td>
      <td class="right">{count(waiting)}</td>
      <td class="right hide muted">{rateWords(activity?.perMinute ?? 0)}</td>
      <td class={late ? 'right hide strong tint-failed' : 'right hide'}>
        {oldestWaitMs === null ? '–' : formatDuration(oldestWaitMs)}
      </td>
      <td
        class={waiting > 0 && queue.slots === 0 ? 'right strong tint-failed' : 'right'}
      >{`${count(queue.running)}/${count(queue.slots)}`}</td>
      <td class="hide">
        {activity === undefined ? (
          <span class="muted">–</span>
        ) : (
          <Sparkline values={activity.finished} label={`finished, ${span}: ${count(sum(activity.finished))}`} />
        )}
      </td>
      <td class="right">
        <form method="post" action={`${root}queues/${encodeURIComponent(name)}/${pause === null ? 'pause' : 'resume'}`}>
          <button class="button small" type="submit" aria-label={`${pause === null ? 'Pause' : 'Resume'} ${name}`}>
            {pause === null ? 'Pause' : 'Resume'}
          </button>
        </form>
      </td>
    </tr>
  );
}

/** "20 at once, 100/1m" */
function limitWords({ max, rate }: QueueDocument): string {
  return [max === null ? [] : [`${count(max)} at once`], rate === null ? [] : [rateText(rate)]].flat().join(', ');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const sentence = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** "62/s", "2.1/s", "4/min". */
function rateWords(perMinute: number): string {
  if (perMinute <= 0) return '–';
  const perSecond = perMinute / 60;
  if (perSecond >= 10) return `${count(Math.round(perSecond))}/s`;
  return perSecond >= 0.1 ? `${perSecond.toFixed(1)}/s` : `${perMinute.toFixed(1)}/min`;
}
