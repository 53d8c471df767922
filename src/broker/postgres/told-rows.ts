/**
 * What a claim in one statement tells of its tasks: what each has for itself. What it has in common with the one that was told last
 * is not said again, and the numbers of a first run not at all: thirty-six columns of mostly the same were a fifth of what a task
 * cost the worker's thread.
 */

import type { Task } from '../../core/task.ts';
import type { SqlRow, SqlValue } from '../sql/driver.ts';
import { type TaskRow, toTask } from '../sql/rows.ts';
import { decodeText } from './text.ts';

/** What all tasks of one definition have in common, in the order of `kindColumns`. */
type Kind = readonly [
  queue: string,
  name: string,
  priority: number,
  keepMs: number,
  policy: string,
  timeoutMs: number | null,
  schemaVersion: string | null,
];
/** Their types, and where they are in a {@link TaskRow}. */
const kindColumns: readonly [column: string, type: string, place: number][] = [
  ['queue', 'text', 1],
  ['name', 'text', 2],
  ['priority', 'bigint', 5],
  ['keep_ms', 'bigint', 24],
  ['policy', 'text', 30],
  ['timeout_ms', 'bigint', 23],
  ['schema_version', 'text', 28],
];
export const kindLength = kindColumns.length;
/** NULL is the same as NULL in the last two alone: so this one is no kind at all. */
const nullable = 5;
const noKind: readonly null[] = kindColumns.map(() => null);

/** Numbers as in a first run, and what few tasks have, as above. */
const restColumns: readonly [column: string, usual: number | null, place: number][] = [
  ['version', 2, 6],
  ['epoch', 1, 7],
  ['attempt', 1, 8],
  ['generation', 1, 9],
  ['crashes', 0, 10],
  ['interruptions', 0, 11],
  ['snoozes', 0, 12],
  ['start_by', null, 21],
  ['expires_at', null, 22],
  ['cancel_requested_at', null, 26],
  ['cancel_reason', null, 27],
  ['checkpoints', null, 32],
  ['error', null, 33],
  ['result', null, 34],
];

const usual = restColumns.map(([, value]) => value);
type Placed = readonly [column: string, about: unknown, place: number];

/** The columns of a {@link ToldRow}, given the number of the first parameter that says which kind is known, and what one row tells for all. */
export function toldColumns(
  parameter: number,
  { first, now }: { readonly first: string; readonly now: string },
): string {
  const isKnown = kindColumns.map(
    ([column, type], index) =>
      `tasks.${column} ${index < nullable ? '=' : 'IS NOT DISTINCT FROM'} $${parameter + index}::${type}`,
  );
  const isUsual = restColumns.map(([column, value]) => `tasks.${column} ${value === null ? 'IS NULL' : `= ${value}`}`);
  return `tasks.id, tasks.payload, tasks.due_at, NULLIF(tasks.created_at, tasks.due_at), tasks.key, tasks.options,
    CASE WHEN ${isKnown.join(' AND ')} THEN NULL ELSE ${listOf(kindColumns.map(([column]) => column))} END,
    CASE WHEN ${isUsual.join(' AND ')} THEN NULL ELSE ${listOf(restColumns.map(([column]) => column))} END,
    CASE WHEN tasks.id = ${first} THEN ${now} END`;
}

function listOf(columns: readonly string[]): string {
  return `json_build_array(${columns.map((column) => `tasks.${column}`).join(', ')})`;
}

export type ToldRow = readonly [
  id: string,
  payload: string,
  dueAt: number,
  createdAt: number | null,
  key: string | null,
  options: string | null,
  kind: string | null,
  rest: string | null,
  now: number | null,
];

/** What the claim itself says of its tasks. */
export interface Claimed {
  readonly workerId: string;
  readonly leaseMs: number;
}

/** So many definitions are known by their text; beyond, all are forgotten. */
const kindsMax = 1_000;

export interface ToldRows {
  /** The kind that need not be told, as the parameters of the columns. */
  known(): readonly SqlValue[];
  /** The tasks of these rows, given what was known when they were asked for. */
  read(rows: readonly SqlRow[], known: readonly SqlValue[], claimed: Claimed): readonly Task[];
}

export function createToldRows(): ToldRows {
  const kinds = new Map<string, Kind>();
  let last: readonly SqlValue[] = noKind;

  /** One and the same for all its tasks: so are its texts. */
  function kindOf(text: string): Kind {
    let kind = kinds.get(text);
    if (kind !== undefined) return kind;
    if (kinds.size >= kindsMax) kinds.clear();
    kind = read(text) as unknown as Kind;
    kinds.set(text, kind);
    return kind;
  }

  return {
    known: () => last,
    read(rows, known, { workerId, leaseMs }) {
      const told = rows as unknown as readonly ToldRow[];
      const now = told.find((row) => row[8] !== null)?.[8] ?? 0;
      // One row for all: a task is made of it, and it is filled anew.
      const row = createRow(now, workerId, leaseMs);
      return told.map(([id, payload, dueAt, createdAt, key, options, kindText, rest]) => {
        const kind = kindText === null ? (known as Kind) : kindOf(kindText);
        last = kind;
        row[0] = id;
        fill(row, kindColumns, kind);
        row[13] = dueAt;
        row[14] = createdAt ?? dueAt;
        row[25] = key;
        row[29] = options;
        row[35] = payload;
        fill(row, restColumns, rest === null ? usual : read(rest));
        return toTask(row);
      });
    },
  };
}

type FilledRow = { -readonly [Place in keyof TaskRow]: TaskRow[Place] };

/** As the claim has left all of its rows. */
function createRow(now: number, workerId: string, leaseMs: number): FilledRow {
  const row: SqlValue[] = new Array(36).fill(null);
  row[3] = 'running';
  row[15] = now;
  row[19] = now + leaseMs;
  row[20] = workerId;
  return row as unknown as FilledRow;
}

function fill(row: FilledRow, columns: readonly Placed[], values: readonly unknown[]): void {
  const places = row as unknown as unknown[];
  for (let index = 0; index < columns.length; index++) places[columns[index]?.[2] ?? 0] = values[index] ?? null;
}

/** A list of values as Postgres writes it: whatever no text of a column may hold is found in it as in the column. */
function read(list: string): readonly SqlValue[] {
  const values = JSON.parse(list) as readonly SqlValue[];
  return values.map((value) => (typeof value === 'string' ? decodeText(value) : value));
}
