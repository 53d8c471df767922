/** getQueues: every queue with its settings, kept counts and oldest task, in one statement however many there are. */

import type { Pause } from '../../core/facts.ts';
import { queueLimitName } from '../../core/limit-rules.ts';
import type { TaskView } from '../../core/states.ts';
import type { QueueRecord } from '../broker.ts';
import type { CountDelta } from './changes.ts';
import { type Dialect, type SqlTransaction, statement } from './driver.ts';
import { pauseOfRow } from './limits.ts';

type Part = readonly [
  kind: 'queue' | 'count' | 'changed' | 'oldest',
  text: string,
  by: string | null,
  reason: string | null,
  at: number | null,
  max: number | null,
  count: number | null,
  perMs: number | null,
];

/** The queues that have queued tasks, each found by one look into the index behind the one before. */
const waiting = ({ least }: Dialect, name: string, condition: string): string => `${name} (queue) AS (
    SELECT (${least('queue', `tasks WHERE state = 'queued' AND ${condition}`)})
    UNION ALL SELECT (${least('queue', `tasks WHERE state = 'queued' AND ${condition} AND queue > ${name}.queue`)})
      FROM ${name} WHERE ${name}.queue IS NOT NULL)`;

const priorities = Array.from({ length: 10 }, (_, n) => `SELECT ${n}${n === 0 ? ' AS n' : ''}`).join(' UNION ALL ');

/**
 * Of the tasks without a group the oldest of each priority is the first of its stretch of the index: ten look-ups a queue, however
 * long it is. No name is empty: it says so for Postgres, see the index.
 */
const allQueues = statement<Part>(
  'all_queues',
  (
    dialect,
  ) => `WITH RECURSIVE ${waiting(dialect, 'plain', 'grp IS NULL')}, ${waiting(dialect, 'grouped', "grp IS NOT NULL AND grp <> ''")}
    SELECT 'queue', queues.name, queues.paused_by, queues.pause_reason, queues.paused_at, limits.max, limits.rate_count, limits.rate_per_ms
      FROM queues LEFT JOIN limits ON queues.limited = 1 AND limits.name ${dialect.keyed(`'${queueLimitName('')}' || queues.name`)}
    UNION ALL SELECT 'count', queue, view, NULL, tasks, NULL, NULL, NULL FROM counts
    UNION ALL SELECT 'changed', counts, NULL, NULL, NULL, NULL, NULL, NULL FROM deltas
    UNION ALL SELECT 'oldest', queue, NULL, NULL, (SELECT min((SELECT due_at FROM tasks WHERE tasks.queue = plain.queue AND state = 'queued'
        AND grp IS NULL AND priority = priorities.n ORDER BY due_at, id LIMIT 1)) FROM (${priorities}) AS priorities), NULL, NULL, NULL
      FROM plain WHERE queue IS NOT NULL
    UNION ALL SELECT 'oldest', queue, NULL, NULL, (${dialect.least(
      'due_at',
      `tasks WHERE tasks.queue = grouped.queue AND state = 'queued'
        AND grp IS NOT NULL AND grp <> ''`,
    )}), NULL, NULL, NULL
      FROM grouped WHERE queue IS NOT NULL`,
);

interface Found {
  readonly pause: Pause | null;
  readonly max: number | null;
  readonly rate: QueueRecord['rate'];
  readonly counts: Map<TaskView, number>;
  oldestDueAt: number | null;
}

/** By name. The kept counts are read, not the tasks. */
export async function getQueues(query: SqlTransaction['query']): Promise<readonly QueueRecord[]> {
  const found = new Map<string, Found>();
  const find = (name: string): Found => {
    const known = found.get(name);
    if (known !== undefined) return known;
    const fresh = { pause: null, max: null, rate: null, counts: new Map<TaskView, number>(), oldestDueAt: null };
    found.set(name, fresh);
    return fresh;
  };
  const add = (name: string, view: TaskView, count: number): void => {
    const { counts } = find(name);
    counts.set(view, (counts.get(view) ?? 0) + count);
  };
  const rows = await query(allQueues);
  // Settings come first: what is configured is there before it is counted.
  for (const [kind, name, by, reason, at, max, count, perMs] of rows) {
    if (kind !== 'queue') continue;
    const rate = count === null || perMs === null ? null : { count, perMs };
    found.set(name, { pause: pauseOfRow(at, by, reason), max, rate, counts: new Map(), oldestDueAt: null });
  }
  for (const [kind, text, view, , number] of rows) {
    if (kind === 'count') add(text, view as TaskView, number ?? 0);
    else if (kind === 'changed')
      for (const [name, , changed, count] of JSON.parse(text) as readonly CountDelta[]) add(name, changed, count);
    else if (kind === 'oldest' && number !== null) {
      const queue = find(text);
      queue.oldestDueAt = Math.min(queue.oldestDueAt ?? number, number);
    }
  }
  const isConfigured = new Set(rows.flatMap(([kind, name]) => (kind === 'queue' ? [name] : [])));
  return [...found]
    .map(([name, { counts, ...queue }]) => ({ name, ...queue, counts: [...counts].filter(([, count]) => count !== 0) }))
    .filter(({ name, counts }) => counts.length > 0 || isConfigured.has(name))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ counts, ...queue }) => ({ ...queue, counts: Object.fromEntries(counts) }));
}
