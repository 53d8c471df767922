/** The numbers of the store as Prometheus' metrics. A label is the name of a queue or one of a few words, never an id. */

import type { Registry } from 'prom-client';
import { limits } from '../core/limits.ts';
import type { TaskView } from '../core/states.ts';
import type { MetricsDocument, QueueFigures } from '../operations/metrics.ts';
import { addTo, type QueueTotals, type Totals } from './totals.ts';

/** The text of what a document and the totals tell. */
export type WriteFigures = (document: MetricsDocument, totals: Totals) => Promise<string>;

type Library = typeof import('prom-client');

/** What has not finished: of the rest the totals tell. */
const unfinished = ['blocked', 'scheduled', 'retrying', 'queued', 'running'] as const satisfies readonly TaskView[];

/** Stands for the queues beyond `limits.metricsQueuesMax`. */
const other = 'other';

export function createFigures(library: Library, version: string): WriteFigures {
  /** Queues keep the label they were first given, so that no total ever falls. */
  const labelled = new Set<string>();
  const labelOf = (queue: string): string => {
    if (labelled.size < limits.metricsQueuesMax) labelled.add(queue);
    return labelled.has(queue) ? queue : other;
  };
  return async (document, totals) => {
    const registry = new library.Registry();
    const write = writerOf(library, registry);
    writeQueues(write, document.queues, labelOf);
    const sums = sumsOf(totals.queues, labelOf);
    writeTotals(write, sums, sumsOf(totals.queues, labelOf, totals.lastMinute));
    writeWhole(write, document, version);
    return [await registry.metrics(), ...latencyTexts(sums, document.boundsMs)].join('\n');
  };
}

type Labels = Readonly<Record<string, string>>;
type Value = readonly [labels: Labels, value: number];

/** Without values there is no line: a metric without its labels would be a lie. */
interface Write {
  gauge(name: string, help: string, values: readonly Value[]): void;
  counter(name: string, help: string, values: readonly Value[]): void;
}

function writerOf({ Counter, Gauge }: Library, registry: Registry): Write {
  const options = (name: string, help: string, values: readonly Value[]) => ({
    name: `taskflow_${name}`,
    help,
    labelNames: Object.keys(values[0]?.[0] ?? {}),
    registers: [registry],
  });
  return {
    gauge(name, help, values) {
      if (values.length === 0) return;
      const gauge = new Gauge(options(name, help, values));
      for (const [labels, value] of values) gauge.inc(labels, value);
    },
    counter(name, help, values) {
      if (values.length === 0) return;
      const counter = new Counter(options(name, help, values));
      for (const [labels, value] of values) counter.inc(labels, value);
    },
  };
}

function writeQueues(write: Write, queues: readonly QueueFigures[], labelOf: (queue: string) => string): void {
  const each = (value: (queue: QueueFigures) => number): readonly Value[] =>
    queues.map((queue) => [{ queue: labelOf(queue.name) }, value(queue)]);
  write.gauge(
    'tasks',
    'Unfinished tasks by queue and state',
    queues.flatMap(({ name, counts }) =>
      unfinished.map((state): Value => [{ queue: labelOf(name), state }, counts[state] ?? 0]),
    ),
  );
  write.gauge(
    'queue_paused',
    'Whether a queue is paused',
    each(({ paused }) => Number(paused)),
  );
  write.gauge(
    'queue_workers',
    'Living workers that listen on a queue',
    each(({ workers }) => workers),
  );
  write.gauge(
    'queue_slots',
    'Slots of living workers for a queue',
    each(({ slots }) => slots),
  );
  const oldest = new Map<string, number>();
  for (const { name, oldestWaitMs } of queues)
    oldest.set(labelOf(name), Math.max(oldest.get(labelOf(name)) ?? 0, oldestWaitMs ?? 0));
  write.gauge(
    'queue_oldest_seconds',
    'How long the oldest queued task of a queue has been due; 0 when none is queued',
    [...oldest].map(([queue, waitMs]) => [{ queue }, waitMs / 1_000]),
  );
}

type Sums = ReadonlyMap<string, QueueTotals>;

/** By label; of each queue what `of` tells of it. */
function sumsOf(queues: Sums, labelOf: (queue: string) => string, of?: (queue: string) => QueueTotals): Sums {
  const sums = new Map<string, QueueTotals>();
  for (const [queue, sum] of queues) addTo(sums, labelOf(queue), of === undefined ? sum : of(queue));
  return sums;
}

function writeTotals(write: Write, sums: Sums, lately: Sums): void {
  const each = (value: (sum: QueueTotals) => number): readonly Value[] =>
    [...sums].map(([queue, sum]) => [{ queue }, value(sum)]);
  const ended = (sum: QueueTotals): number => sum.succeeded + sum.failed + sum.cancelled;
  write.counter(
    'tasks_finished_total',
    'Tasks that ended, by how',
    [...sums].flatMap(([queue, sum]) =>
      (['succeeded', 'failed', 'cancelled'] as const).map((state): Value => [{ queue, state }, sum[state]]),
    ),
  );
  write.counter(
    'task_retries_total',
    'Runs that ended in another attempt',
    each(({ retried }) => retried),
  );
  write.gauge(
    'tasks_finished_per_second',
    'Tasks that ended in the last whole minute, a second',
    [...lately].map(([queue, sum]) => [{ queue }, ended(sum) / 60]),
  );
}

/** Histograms are written by hand: the library counts what it is told one by one. Without an end there is none. */
function latencyTexts(sums: Sums, boundsMs: readonly number[]): readonly string[] {
  const told = [...sums].filter(([, { ran }]) => ran.length > 0);
  if (told.length === 0) return [];
  const histogram = (name: string, help: string, read: (sum: QueueTotals) => readonly [readonly number[], number]) => {
    const lines = told.flatMap(([queue, sum]) => {
      const label = `queue="${escaped(queue)}"`;
      const [counts, ms] = read(sum);
      const all = counts[boundsMs.length] ?? 0;
      return [
        ...boundsMs.map((bound, bucket) => `_bucket{${label},le="${bound / 1_000}"} ${counts[bucket] ?? 0}`),
        `_bucket{${label},le="+Inf"} ${all}`,
        `_sum{${label}} ${ms / 1_000}`,
        `_count{${label}} ${all}`,
      ];
    });
    const head = [`# HELP taskflow_${name} ${help}`, `# TYPE taskflow_${name} histogram`];
    return [...head, ...lines.map((line) => `taskflow_${name}${line}`), ''].join('\n');
  };
  return [
    histogram('task_wait_seconds', 'Tasks that ended while they ran, by their time from due to claim', (sum) => [
      sum.waited,
      sum.waitMs,
    ]),
    histogram('task_run_seconds', 'Tasks that ended while they ran, by the time of their last run', (sum) => [
      sum.ran,
      sum.runMs,
    ]),
  ];
}

const special: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

function escaped(label: string): string {
  return label.replace(/[\\"\n]/g, (letter) => special[letter] ?? letter);
}

function writeWhole(write: Write, document: MetricsDocument, version: string): void {
  const one = (value: number): readonly Value[] => [[{}, value]];
  const { workers, relay } = document;
  write.gauge(
    'workers',
    'Workers by state; silent ones are about to lose their tasks',
    (['ready', 'draining', 'silent'] as const).map((state) => [{ state }, workers[state]]),
  );
  write.gauge('workers_blocked', 'Living workers whose event loop stands', one(document.blocked));
  write.gauge(
    'workers_stalled',
    'Living workers that were given nothing lately though tasks waited',
    one(document.stalled),
  );
  write.gauge(
    'worker_loop_lag_seconds',
    'The worst event-loop lag of any living worker',
    one(document.loopLagMs / 1_000),
  );
  write.gauge('servers', 'Living servers', one(document.servers));
  write.gauge('slots', 'Slots of all living workers', one(document.slots));
  write.gauge('slots_busy', 'Slots that run a task', one(document.running));
  write.gauge(
    'record_reachable',
    'Whether the record of finished tasks can be reached',
    one(Number(document.ended !== null)),
  );
  write.gauge('record_lag_seconds', 'How far the record is behind the live store', one(document.lagMs / 1_000));
  write.gauge(
    'relay_tasks',
    'Tasks of transactions on their way to the broker, or set aside',
    (['waiting', 'setAside'] as const).map((state) => [
      { state: state === 'setAside' ? 'set_aside' : state },
      relay?.[state] ?? 0,
    ]),
  );
  write.gauge('relay_lag_seconds', 'How long the oldest of them has waited', one((relay?.lagMs ?? 0) / 1_000));
  write.gauge('build_info', 'The version of this server', [[{ version }, 1]]);
}
