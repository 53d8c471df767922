/** Tests that the dashboard and the alert rules we hand out ask for metrics, and labels of them, that a server really has. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createApp } from '../../src/api/app.ts';
import { createMetrics } from '../../src/api/metrics.ts';
import { limits } from '../../src/core/limits.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { createOperationWorld } from '../support/operation-world.ts';

const read = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/operations/${name}`, import.meta.url)), 'utf8');

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string; readonly description: string };
}

const { panels } = JSON.parse(read('grafana-dashboard.json')) as { readonly panels: readonly Panel[] };
const { groups } = parse(read('prometheus-alerts.yml')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

const asked = [
  ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [`the panel ${title}`, expr] as const)),
  ...rules.map(({ alert, expr }) => [`the alert ${alert}`, expr] as const),
];

/** The labels of each metric that a server in use has. */
const known = new Map<string, ReadonlySet<string>>();
beforeAll(async () => {
  const world = await createOperationWorld();
  const clock = createManualClock();
  const metrics = createMetrics({ version: '1.0.0', clock });
  const fetch = createApp({ context: world.context, metrics, onAnswered: () => undefined, report: () => undefined });
  const get = () => fetch(new Request('http://127.0.0.1:8000/metrics'));
  await (await get()).text();
  // A scrape is kept for a second; the next one tells of the first.
  await clock.advance(limits.metricsCacheMs + 1);
  const text = await (await get()).text();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm))
    known.set(
      name,
      new Set([...(known.get(name) ?? []), ...[...labels.matchAll(/(\w+)="/g)].map(([, label = '']) => label)]),
    );
  // What the help tells of is there though it has no sample yet.
  for (const [, name = ''] of text.matchAll(/^# TYPE (\w+) /gm))
    if (!known.has(name)) known.set(name, new Set(anyLabel));
  await world.close();
});

const anyLabel = ['queue', 'state', 'le', 'route', 'status', 'method'];
/** Given by Prometheus to every sample. */
const given = ['instance', 'job'];

/** The metrics of an expression with the labels that it picks them by. */
function metricsOf(expr: string): readonly (readonly [name: string, labels: readonly string[]])[] {
  return [...expr.matchAll(/\b((?:taskflow|nodejs|process)_\w+)(?:\{([^}]*)\})?/g)].map(
    ([, name = '', labels = '']) =>
      [name, [...labels.matchAll(/(\w+)\s*=?[=~!]/g)].map(([, label = '']) => label)] as const,
  );
}

describe.each(asked)('%s', (_what, expr) => {
  test('asks for what there is', () => {
    const metrics = metricsOf(expr);
    expect(metrics.length).toBeGreaterThan(0);
    for (const [name, labels] of metrics) {
      expect([...known.keys()]).toContain(name);
      const its = [...(known.get(name) ?? []), ...given];
      for (const label of labels) expect([name, its]).toEqual([name, expect.arrayContaining([label])]);
    }
    const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
    const all = [...metrics.flatMap(([name]) => [...(known.get(name) ?? [])]), ...given, 'le'];
    for (const label of grouped) expect([expr, all]).toEqual([expr, expect.arrayContaining([label])]);
  });
});

test('panels have places of their own, and alerts say what to do', () => {
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { annotations } of rules) expect(annotations.description.length).toBeGreaterThan(20);
});
