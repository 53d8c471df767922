/** What a search has to know before it can choose its way, in one statement: nothing for most filters. */

import type { CountDelta } from '../broker/sql/changes.ts';
import type { Dialect, SqlDriver } from '../broker/sql/driver.ts';
import type { TaskView } from '../core/states.ts';
import { type Draft, parameter } from './conditions.ts';

/** A column with an index on itself and the id; the flows of tasks are a table beside them, in that order too. */
export type Column = 'key' | 'fingerprint' | 'flow_id';

/** What is asked for. */
export interface Asked {
  /** The kept counts. */
  readonly counts: boolean;
  /** The ids of queued tasks, so many and one more. */
  readonly queued: number | null;
  readonly now: boolean;
  /** Values that begin with a text, of each so many and one more. */
  readonly beginnings: readonly (readonly [column: Column, text: string])[];
  readonly beginningsMax: number;
}

/** What was found; what was not asked for is empty. */
export interface Known {
  readonly counts: readonly {
    readonly queue: string;
    readonly name: string;
    readonly view: TaskView;
    readonly count: number;
  }[];
  readonly queued: readonly string[];
  readonly now: number;
  valuesOf(column: Column, text: string): readonly string[];
}

/** Sorts behind everything that begins with the same text. */
export const last = '\u{10FFFF}';

type Row = readonly [kind: string, text: string, name: string | null, view: string | null, number: number | null];

/** Reads what is asked, as one snapshot; nothing is read when nothing is. */
export async function readKnown(driver: SqlDriver, asked: Asked): Promise<Known> {
  const draft: Draft = { dialect: driver.dialect, now: 0, values: [] };
  const parts = partsOf(asked, draft);
  const rows =
    parts.length === 0
      ? []
      : await driver.read((tx) => {
          const values = draft.values.map((value) => (value === ownTime ? tx.ownMs() : value));
          return tx.filter<Row>(parts.join(' UNION ALL '), ...values);
        });
  const counts = new Map<string, CountDelta>();
  const found = new Map<string, string[]>();
  let now = 0;
  for (const [kind, text, name, view, number] of rows) {
    if (kind === 'count') add(counts, [text, name ?? '', view as TaskView, number ?? 0]);
    else if (kind === 'changed') for (const delta of JSON.parse(text) as readonly CountDelta[]) add(counts, delta);
    else if (kind === 'now') now = Math.max(now, number ?? 0);
    else found.set(kind, [...(found.get(kind) ?? []), text]);
  }
  return {
    counts: [...counts.values()]
      .filter(([, , , count]) => count !== 0)
      .map(([queue, name, view, count]) => ({ queue, name, view, count })),
    queued: found.get('queued') ?? [],
    now,
    valuesOf: (column, text) => found.get(kindOf(asked, column, text)) ?? [],
  };
}

function add(counts: Map<string, CountDelta>, [queue, name, view, count]: Readonly<CountDelta>): void {
  const key = JSON.stringify([queue, name, view]);
  counts.set(key, [queue, name, view, (counts.get(key)?.[3] ?? 0) + count]);
}

/** Stands for the clock as the process knows it, until the transaction is there to be asked. */
const ownTime = ' own time';

function partsOf({ counts, queued, now, beginnings, beginningsMax }: Asked, draft: Draft): readonly string[] {
  const parts: string[] = [];
  if (counts)
    parts.push(
      `SELECT 'count' AS kind, queue AS text, name AS name, view AS view, tasks AS number FROM counts`,
      `SELECT 'changed', counts, NULL, NULL, 0 FROM deltas`,
    );
  if (queued !== null)
    parts.push(
      `SELECT 'queued' AS kind, id AS text, CAST(NULL AS text) AS name, CAST(NULL AS text) AS view, 0 AS number FROM
        (SELECT id FROM tasks WHERE state = 'queued' AND grp IS NULL
          UNION ALL SELECT id FROM tasks WHERE state = 'queued' AND grp IS NOT NULL LIMIT ${queued + 1}) AS queued`,
    );
  // The store's clock is never behind its last event.
  if (now)
    parts.push(
      `SELECT 'now' AS kind, '' AS text, CAST(NULL AS text) AS name, CAST(NULL AS text) AS view, ${draft.dialect.clock(parameter(draft, ownTime))} AS number`,
      `SELECT 'now', '', NULL, NULL, (SELECT at FROM events ORDER BY seq DESC LIMIT 1)`,
    );
  for (const [index, [column, text]] of beginnings.entries())
    parts.push(beginningsOf(`b${index}`, column, text, beginningsMax + 1, draft));
  return parts;
}

function kindOf({ beginnings }: Asked, column: Column, text: string): string {
  return `b${beginnings.findIndex(([known, begins]) => known === column && begins === text)}`;
}

/** Each value is one look into the index behind the one before. */
function beginningsOf(kind: string, column: Column, text: string, most: number, draft: Draft): string {
  const table = column === 'flow_id' ? 'members' : 'tasks';
  const end = (): string => `${column} < ${parameter(draft, text + last)}`;
  const first = `SELECT min(${column}) FROM ${table} WHERE ${column} >= ${parameter(draft, text)} AND ${end()}`;
  return `SELECT '${kind}' AS kind, value AS text, CAST(NULL AS text) AS name, CAST(NULL AS text) AS view, 0 AS number FROM
    (WITH RECURSIVE stretch (value) AS (
      ${first} UNION ALL SELECT (SELECT min(${column}) FROM ${table} WHERE ${column} > stretch.value AND ${end()}) FROM stretch WHERE stretch.value IS NOT NULL
    ) SELECT value FROM stretch WHERE value IS NOT NULL LIMIT ${most}) AS ${kind}`;
}

/** Whether the index of names leads to all tasks, or to the finished ones only. */
export const leadsToAll = ({ named }: Pick<Dialect, 'named'>): boolean => named === 'all';
