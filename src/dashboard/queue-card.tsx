/** The queues: what waits in them, who listens, and the buttons that hold them and let them go. */

import { formatDuration } from '../core/duration.ts';
import { rateText } from '../core/rate-text.ts';
import type { QueueDocument } from '../operations/queue.ts';
import { ProportionBar } from './components.tsx';
import { count, exactTime } from './words.ts';

/** From here on a wait is shown in red. */
const longWaitMs = 5 * 60_000;

export function QueueCard({ queues, root }: { readonly queues: readonly QueueDocument[]; readonly root: string }) {
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
            <th class="w-wait right hide">Oldest waits</th>
            <th class="w-took right">Slots</th>
            <th class="w-action right">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {queues.map((queue) => (
            <QueueRow queue={queue} root={root} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function QueueRow({ queue, root }: { readonly queue: QueueDocument; readonly root: string }) {
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
      <td class={late ? 'right hide strong tint-failed' : 'right hide'}>
        {oldestWaitMs === null ? '–' : formatDuration(oldestWaitMs)}
      </td>
      <td
        class={waiting > 0 && queue.slots === 0 ? 'right strong tint-failed' : 'right'}
      >{`${count(queue.running)}/${count(queue.slots)}`}</td>
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

/** A name as a value of the filter language. */
function filterWord(text: string): string {
  return /^[\p{L}\p{N}_.-]+$/u.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}
