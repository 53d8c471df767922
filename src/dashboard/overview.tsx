/** The first page: is everything all right, and if not, what is to be done. */

import { formatDuration } from '../core/duration.ts';
import type { QueueDocument } from '../operations/queue.ts';
import type { SignsDocument } from '../operations/signs.ts';
import type { ActivityDocument, CountsDocument, HealthDocument } from '../operations/system.ts';
import type { ListedTaskDocument } from '../operations/task-document.ts';
import type { WorkerDocument } from '../operations/worker.ts';
import { NeedsAttention } from './attention.tsx';
import { ChartCard, type ChartSpan, chartSpans } from './chart-card.tsx';
import { countsByLook, sumOf } from './components.tsx';
import { FirstSteps } from './first-steps.tsx';
import { StateWord } from './glyphs.tsx';
import { Layout, type PageFrame } from './layout.tsx';
import { QueueCard } from './queue-card.tsx';
import { RunningCard } from './running-card.tsx';
import { filterFor } from './task-filter.tsx';
import { count } from './words.ts';

export interface OverviewProps {
  readonly frame: PageFrame;
  readonly span: ChartSpan;
  readonly health: HealthDocument;
  readonly counts: CountsDocument['counts'];
  readonly kept: CountsDocument;
  readonly signs: SignsDocument;
  /** Whether who looks may change things. */
  readonly mayOperate: boolean;
  readonly activity: ActivityDocument;
  readonly queues: readonly QueueDocument[];
  readonly workers: readonly WorkerDocument[];
  readonly running: readonly ListedTaskDocument[];
  /** Whether a living worker knows the task that greets newcomers. */
  readonly helloKnown: boolean;
}

export function Overview(props: OverviewProps) {
  const { frame, span, health, counts, activity, queues, workers, running, helloKnown, signs, mayOperate } = props;
  const empty = Object.values(counts).every((number) => number === 0);
  const { root, now } = frame;
  return (
    <Layout title="Overview" current="overview" frame={frame} store={storeWords(health)} hasChart={!empty}>
      <div class="title">
        <h1>Overview</h1>
        <span class="muted">{span[3]}</span>
        <span class="grow" />
        {empty ? null : <Spans span={span} root={root} />}
      </div>
      <Numbers {...props} />
      {empty ? (
        <FirstSteps root={root} workers={health.workers} helloKnown={helloKnown} />
      ) : (
        <>
          <NeedsAttention
            {...{ queues, workers, health, activity, root, mayOperate }}
            beyond={{ signs, counts: props.kept, running }}
          />
          <div class="columns">
            <ChartCard activity={activity} span={span} />
            <RunningCard tasks={running} total={counts.running ?? 0} root={root} now={now} />
          </div>
        </>
      )}
      {queues.length === 0 ? null : <QueueCard queues={queues} activity={activity} span={span[3]} frame={frame} />}
    </Layout>
  );
}

/** While the record is away: what lives, and that the rest waits for it. */
export function OverviewWithoutRecord({
  frame,
  health,
  queues,
  workers,
  mayOperate,
}: Pick<OverviewProps, 'frame' | 'health' | 'queues' | 'workers' | 'mayOperate'>) {
  return (
    <Layout title="Overview" current="overview" frame={frame} store={storeWords(health)}>
      <div class="title">
        <h1>Overview</h1>
      </div>
      <NeedsAttention {...{ queues, workers, health, mayOperate }} activity={null} root={frame.root} />
      <QueueCard queues={queues} activity={null} span="" frame={frame} />
    </Layout>
  );
}

function Spans({ span, root }: { readonly span: ChartSpan; readonly root: string }) {
  return (
    <nav class="chips" aria-label="Span of time">
      {chartSpans.map(([name, , word]) => (
        <a
          class={name === span[0] ? 'chip tint-accent' : 'chip'}
          href={name === '1h' ? root : `${root}?span=${name}`}
          aria-current={name === span[0] ? 'true' : undefined}
        >
          {word}
        </a>
      ))}
    </nav>
  );
}

/** What the footer says of the store. */
export function storeWords({ store, record }: HealthDocument): string {
  const database = record?.database ?? null;
  const recorded = database === null ? '' : `; record: ${database.detail}, ${database.durability}`;
  return `${store.kind}, ${store.detail}, ${store.durability}${recorded}`;
}

function Numbers({ frame, span, health, counts, activity, queues }: OverviewProps) {
  const sums = countsByLook(counts);
  const oldestMs = Math.max(-1, ...queues.map((queue) => queue.oldestWaitMs ?? -1));
  const within = span[2];
  const told = (field: 'failed' | 'succeeded' | 'retried', before: string, after: string) => {
    const number = sumOf(activity.minutes, field);
    return number === 0 ? `none in ${within}` : `${before}${count(number)}${after} in ${within}`;
  };
  const numbers = [
    ['queued', 'Waiting', oldestMs < 0 ? 'nothing waits' : `oldest ${formatDuration(oldestMs)}`],
    ['running', 'Running', health.workers === 0 ? 'no worker' : `of ${count(health.slots)} slots`],
    ['retrying', 'Retrying', told('retried', '', ' retries')],
    ['failed', 'Failed', told('failed', '+', '')],
    ['succeeded', 'Succeeded', told('succeeded', '+', '')],
    ['scheduled', 'Scheduled', sums.blocked === 0 ? 'none blocked' : `and ${count(sums.blocked)} blocked`],
  ] as const;
  return (
    <section class="card numbers" aria-label="Right now">
      {numbers.map(([view, word, more]) => (
        <a class="number" href={`${frame.root}tasks?q=${encodeURIComponent(filterFor(view))}`}>
          <StateWord view={view} word={word} />
          <div class="count" data-n={view}>
            {count(sums[view])}
          </div>
          <div class="more">{more}</div>
        </a>
      ))}
    </section>
  );
}
