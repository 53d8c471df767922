/** `/metrics`: the numbers of the operation `system.metrics` and those of this process, as Prometheus reads them. */

import type { Histogram, Registry } from 'prom-client';
import { limits } from '../core/limits.ts';
import { once } from '../core/once.ts';
import type { Clock } from '../core/time.ts';
import type { MetricsDocument } from '../operations/metrics.ts';
import type { Answered } from './answered.ts';
import { createFigures, type WriteFigures } from './figures.ts';
import { createTotals, type Totals } from './totals.ts';

export interface MetricsOptions {
  readonly version: string;
  readonly clock: Clock;
  /** What is told of callers and their connections; absent where somebody else minds them. */
  readonly door?: () => DoorFigures;
}

/** Who comes, and who is not let in. What ends in `refused` or `stuck` counts since the start. */
export interface DoorFigures {
  /** Requests, by why. */
  readonly refused: Readonly<Record<string, number>>;
  /** Callers of whom it is known how much they have asked. */
  readonly callers: number;
  readonly connections: number;
  readonly connectionsRefused: number;
  readonly connectionsStuck: number;
  readonly live: number;
}

/** The metrics of one server; keep it as long as the server lives, for its totals only grow. */
export interface Metrics {
  /** Counts a request. */
  answered(answered: Answered): void;
  /**
   * The text of all metrics. `read` is asked at most once in `limits.metricsCacheMs`, and never twice at once; it is told how many
   * minutes are wanted.
   */
  text(read: (minutes: number) => Promise<MetricsDocument>): Promise<string>;
}

/** The media type of {@link Metrics.text}. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** Prometheus' client takes 60 ms to load, which a server that nobody scrapes, and one that starts, must not pay. */
const loadLibrary = once(() => import('prom-client'));

export function createMetrics({ version, clock, door }: MetricsOptions): Metrics {
  const totals = createTotals(clock.elapsed);
  const early: Answered[] = [];
  let requests: Histogram | null = null;
  const library = once(async () => {
    const prometheus = await loadLibrary();
    const { Registry, Histogram, collectDefaultMetrics } = prometheus;
    // Its own registry: that of the library belongs to the program we may be mounted in.
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    if (door !== undefined) collectDoor(prometheus, registry, door);
    requests = new Histogram({
      name: 'taskflow_http_request_seconds',
      help: 'Requests by the time until the head of their answer',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30],
      registers: [registry],
    });
    for (const answered of early.splice(0)) observe(requests, answered);
    return { registry, writeFigures: createFigures(prometheus, version) };
  });
  let cached: { readonly at: number; readonly text: Promise<string> } | null = null;

  return {
    answered(answered) {
      if (requests !== null) observe(requests, answered);
      else if (early.length < limits.metricsEarlyMax) early.push(answered);
    },
    text(read) {
      if (cached !== null && clock.elapsed() - cached.at < limits.metricsCacheMs) return cached.text;
      const text = library().then(({ registry, writeFigures }) => render(registry, writeFigures, totals, read));
      const mine = { at: clock.elapsed(), text };
      cached = mine;
      // A failure is not kept: the next scrape asks again.
      text.catch(() => {
        if (cached === mine) cached = null;
      });
      return text;
    },
  };
}

/** Read when they are asked for. */
function collectDoor(
  { Counter, Gauge }: Awaited<ReturnType<typeof loadLibrary>>,
  registry: Registry,
  door: () => DoorFigures,
): void {
  const registers = [registry];
  const count = (name: string, help: string, label: string, read: () => Readonly<Record<string, number>>) =>
    new Counter({
      name: `taskflow_${name}`,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [value, times] of Object.entries(read())) this.inc({ [label]: value }, times);
      },
    });
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `taskflow_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  count('http_refused_total', 'Requests refused because of how many there were', 'why', () => door().refused);
  count('http_connections_ended_total', 'Connections refused, and cut off because nobody read', 'why', () => {
    const { connectionsRefused, connectionsStuck } = door();
    return { refused: connectionsRefused, stuck: connectionsStuck };
  });
  gauge('http_connections', 'Open connections', () => door().connections);
  gauge('http_callers', 'Callers of whom it is known how much they have asked', () => door().callers);
  gauge('live_connections', 'Clients that follow live updates', () => door().live);
}

async function render(
  process: Registry,
  writeFigures: WriteFigures,
  totals: Totals,
  read: (minutes: number) => Promise<MetricsDocument>,
): Promise<string> {
  const document = await read(totals.minutesWanted());
  totals.take(document);
  const [figures, own] = await Promise.all([writeFigures(document, totals), process.metrics()]);
  return `${figures}\n${own}`;
}

const knownMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function observe(requests: Histogram, { method, route, status, ms }: Answered): void {
  const labels = { method: knownMethods.has(method) ? method : 'other', route: route ?? 'other', status };
  requests.observe(labels, ms / 1_000);
}
