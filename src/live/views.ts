/** How things stand, for topics that show a state: asked once for all who look, a few times a second at most, told when it changed. */

import type { Chance } from '../core/chance.ts';
import type { BatchEvent } from '../core/events.ts';
import { limits } from '../core/limits.ts';
import { formatCursor, type LiveCursor, type Topic } from '../core/live.ts';
import type { Clock } from '../core/time.ts';
import { createService, type Report } from '../engine/service.ts';
import { type OperationContext, perform } from '../operations/operation.ts';
import { queueList } from '../operations/queue.ts';
import { systemCounts } from '../operations/system.ts';
import { workerList } from '../operations/worker.ts';
import { createStateFrame, type LiveFrame } from './frame.ts';
import type { Group } from './group.ts';

export interface ViewsOptions {
  readonly context: OperationContext;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly report: Report;
  cursorOf(group: Group): LiveCursor;
}

export interface Views {
  watch(group: Group): void;
  unwatch(group: Group): void;
  /** These happened: what is shown may be old. */
  touch(events: readonly BatchEvent[]): void;
  stop(): Promise<void>;
}

/** What is shown of one topic. */
interface View {
  readonly topic: Topic;
  readonly groups: Set<Group>;
  /** Those who have seen nothing yet. */
  readonly fresh: Set<Group>;
  /** What counts as the same; `null` before the first look. */
  told: string | null;
}

/** One answer: what is sent, and what of it counts as a change. Ages grow by themselves. */
interface Shown {
  readonly data: unknown;
  readonly lasting: unknown;
}

export function createViews({ context, clock, chance, report, cursorOf }: ViewsOptions): Views {
  const asked: OperationContext = { ...context, actor: { name: 'live updates', role: 'viewer' } };
  const views = new Map<string, View>();
  let lookedAt = -Infinity;
  let touchedAt = -Infinity;
  let wantedAt = -Infinity;

  async function tick() {
    lookedAt = clock.elapsed();
    const kinds = new Set([...views.values()].map(({ topic }) => topic.kind));
    const shown = await look(asked, kinds);
    for (const view of [...views.values()]) show(view, shown(view.topic), cursorOf);
    return 'done' as const;
  }

  /** A record beside the live store counts a little later than it happens. */
  function periodMs(): number {
    // Asked for during the look that has just ended.
    if (wantedAt > lookedAt) return limits.liveGatherMs;
    const isMoving = clock.elapsed() - touchedAt < limits.liveSettleMs;
    return isMoving || views.has('worker') ? limits.pollMs : limits.liveIdleViewMs;
  }

  const service = createService({ name: 'live views', periodMs, tick, clock, chance, report });

  function lookSoon(): void {
    wantedAt = clock.elapsed();
    service.wakeIn(Math.max(1, lookedAt + limits.liveGatherMs - clock.elapsed()));
  }

  return {
    watch(group) {
      const shown = group.topics.filter(({ kind }) => kind !== 'all' && kind !== 'task');
      for (const topic of shown) {
        const view = views.get(topic.text) ?? { topic, groups: new Set(), fresh: new Set(), told: null };
        views.set(topic.text, view);
        view.groups.add(group);
        view.fresh.add(group);
      }
      if (shown.length === 0) return;
      service.start();
      lookSoon();
    },
    unwatch(group) {
      for (const { text } of group.topics) {
        const view = views.get(text);
        view?.groups.delete(group);
        view?.fresh.delete(group);
        if (view?.groups.size === 0) views.delete(text);
      }
      if (views.size === 0) void service.stop();
    },
    touch() {
      touchedAt = clock.elapsed();
      if (views.size > 0) lookSoon();
    },
    stop: service.stop,
  };
}

function show(view: View, { data, lasting }: Shown, cursorOf: ViewsOptions['cursorOf']): void {
  const now = JSON.stringify(lasting);
  const hearers = now === view.told ? view.fresh : view.groups;
  if (hearers.size === 0) return;
  const text = JSON.stringify(data);
  const sent = Buffer.byteLength(text) > limits.liveStateBytesMax ? 'null' : text;
  const frames = new Map<string, LiveFrame>();
  for (const group of hearers) {
    const cursor = formatCursor(cursorOf(group));
    const frame = frames.get(cursor) ?? createStateFrame(view.topic.text, cursor, sent);
    frames.set(cursor, frame);
    group.sink.send(frame);
  }
  view.fresh.clear();
  view.told = now;
}

/** Asks what these kinds of topics need, each operation once. */
async function look(context: OperationContext, kinds: ReadonlySet<Topic['kind']>): Promise<(topic: Topic) => Shown> {
  const [counts, queues, workers] = await Promise.all([
    kinds.has('counts') ? perform(systemCounts, context, {}) : null,
    kinds.has('queue') ? perform(queueList, context, {}) : null,
    kinds.has('worker') ? perform(workerList, context, {}) : null,
  ]);
  const byName = new Map(queues?.queues.map((queue) => [queue.name, queue]));
  const lastingWorkers = workers?.workers.map(({ silentMs: _silent, beatAt: _beat, ...rest }) => rest);
  return (topic) => {
    if (topic.kind === 'counts') return { data: counts, lasting: counts && { ...counts, now: null } };
    if (topic.kind === 'worker') return { data: workers, lasting: lastingWorkers };
    const data = topic.kind === 'queue' ? (byName.get(topic.name) ?? null) : null;
    return { data, lasting: data === null ? null : { ...data, oldestWaitMs: null } };
  };
}
