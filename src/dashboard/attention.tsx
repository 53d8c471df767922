/** What a person should look at, in sentences, each with the next thing to do. */

import { formatDuration } from '../core/duration.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { HealthDocument } from '../operations/system.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { Glyph, type ShownView } from './glyphs.tsx';
import { count } from './words.ts';

interface Concern {
  readonly look: ShownView;
  readonly title: string;
  readonly more: string;
  readonly command: string | null;
}

/** Shown at most; the queues table has the rest. */
const concernsMax = 5;

export function NeedsAttention({
  queues,
  workers,
  health,
}: {
  readonly queues: readonly QueueDocument[];
  readonly workers: readonly WorkerDocument[];
  readonly health: HealthDocument;
}) {
  const listening = workers.filter(({ state, concurrency }) => state !== 'silent' && concurrency > 0).length;
  const concerns = [
    ...workers.flatMap(blockOf),
    ...workers.flatMap(stallOf),
    ...lossesOf(health),
    ...refusedOf(health.relay),
    ...queues.flatMap((queue) => concernsOf(queue, listening)),
  ];
  if (concerns.length === 0) return null;
  return (
    <section class="card">
      <header>
        <h2>Needs attention</h2>
        <span class="muted">{count(concerns.length)}</span>
      </header>
      {concerns.slice(0, concernsMax).map(({ look, title, more, command }) => (
        <div class="problem">
          <Glyph view={look} />
          <div>
            <div class="strong">{title}</div>
            <div class="muted">
              {more} {command === null ? null : <code class="command">{command}</code>}
            </div>
          </div>
        </div>
      ))}
    </section>
  );
}

/** What the record lacks, or has not heard yet. */
function lossesOf({ record, lagMs, now }: HealthDocument): readonly Concern[] {
  if (record === null) return [];
  const { problem, gap, unrecorded, refused } = record;
  const concerns: Concern[] = [];
  if (problem !== null)
    concerns.push({
      look: 'failed',
      title: 'The record cannot be reached',
      more: `${problem.message} Tasks go on; lists and counts wait for it.`,
      command: 'taskflow db status',
    });
  if (gap !== null && Date.parse(now) - Date.parse(gap.to) < gapShownMs) {
    const back = gap.restored === 1 ? '1 task was' : `${count(gap.restored)} tasks were`;
    concerns.push({
      look: 'failed',
      title: `The live store lost what it had, ${formatDuration(Date.parse(now) - Date.parse(gap.to))} ago`,
      more: `${back} brought back from the record; those accepted ${gap.from === null ? 'shortly before' : `after ${gap.from}`} are gone.`,
      command: null,
    });
  }
  if (lagMs >= lagShownMs)
    concerns.push({
      look: 'retrying',
      title: `The record is ${formatDuration(lagMs)} behind`,
      more: 'Lists and counts show what was then. Why it does not follow is in the output of the servers.',
      command: null,
    });
  if (refused !== null)
    concerns.push({
      look: 'failed',
      title: `The record does not take ${unrecorded === 1 ? '1 task' : `${count(unrecorded)} tasks`}`,
      more: `${refused.id}: ${refused.problem}. All of them:`,
      command: 'taskflow db status',
    });
  return concerns;
}

const gapShownMs = 24 * 3_600_000;
const lagShownMs = 10_000;

/** They were promised by a commit, and nobody runs them. */
function refusedOf(relay: HealthDocument['relay']): readonly Concern[] {
  if (relay === null || (relay.setAside === 0 && relay.lagMs < relayShownMs)) return [];
  const { setAside, lagMs } = relay;
  const title =
    setAside === 0
      ? `Tasks of transactions have waited ${formatDuration(lagMs)} for the broker`
      : `The broker does not take ${setAside === 1 ? '1 task' : `${count(setAside)} tasks`} of your transactions`;
  const more = setAside === 0 ? 'A server or worker pushes them once a second.' : 'Each says why:';
  return [{ look: 'failed', title, more, command: 'taskflow relay list' }];
}

const relayShownMs = 30_000;

/** A loop that stands for a second or two is nobody's concern. */
const blockShownMs = 3_000;

function blockOf({ name, state, blocked }: WorkerDocument): readonly Concern[] {
  if (blocked === null || blocked.forMs < blockShownMs || state === 'silent') return [];
  const { forMs, handlers, at } = blocked;
  const who = handlers.length === 0 ? 'No handler is in flight' : `In flight: ${handlers.join(', ')}`;
  return [
    {
      look: 'failed',
      title: `The event loop of ${name} has not turned for ${formatDuration(forMs)}`,
      more: `${who}${at === null ? '' : `; it stands at ${at}`}. Where exactly:`,
      command: `taskflow worker stack ${shellWord(name)}`,
    },
  ];
}

/** Once is no concern of today; it is one of whoever looks after network and store. */
function stallOf({ name, state, stall }: WorkerDocument): readonly Concern[] {
  if (stall === null || state === 'silent') return [];
  const { forMs, waiting, agoMs } = stall;
  const lasted = formatDuration(forMs);
  return [
    {
      look: 'retrying',
      title: waiting === null ? `A call of ${name} to the store had no end` : `${name} was given no task for ${lasted}`,
      more: `${waiting === null ? `It was given up after ${lasted}` : `${count(waiting)} waited`}. It connected anew ${formatDuration(agoMs)} ago.`,
      command: null,
    },
  ];
}

function concernsOf(queue: QueueDocument, workers: number): readonly Concern[] {
  const { name, waiting, pause } = queue;
  if (waiting === 0) return [];
  const tasks = waiting === 1 ? '1 waiting task' : `${count(waiting)} waiting tasks`;
  if (pause !== null) {
    const why = pause.reason === null ? '' : ` (${pause.reason})`;
    return [
      {
        look: 'retrying',
        title: `Queue ${name} is paused and has ${tasks}`,
        more: `Paused by ${pause.by}${why}.`,
        command: `taskflow queue resume ${shellWord(name)}`,
      },
    ];
  }
  if (queue.workers === 0) {
    const more =
      workers === 0
        ? 'No worker runs. Start one:'
        : `No worker listens on it; ${workers === 1 ? '1 worker listens' : `${count(workers)} workers listen`} on other queues. Start one:`;
    return [
      {
        look: 'failed',
        title: `Queue ${name} has ${tasks} and no worker`,
        more,
        command: `taskflow worker start --queues ${shellWord(name)}`,
      },
    ];
  }
  const behindMs = queue.oldestWaitMs ?? 0;
  if (behindMs < 60_000) return [];
  const busy =
    queue.running >= queue.slots
      ? `All ${count(queue.slots)} slots are busy.`
      : `${count(queue.running)} of ${count(queue.slots)} slots are busy; open the oldest task to see why it waits.`;
  return [
    {
      look: 'retrying',
      title: `Queue ${name} is ${formatDuration(behindMs)} behind`,
      more: `${tasks}. ${busy}`,
      command: null,
    },
  ];
}

/** A word as a shell takes it. */
function shellWord(text: string): string {
  return /^[\w.:/@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
