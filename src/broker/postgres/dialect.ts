/** What Postgres says differently: lists and rows of values come as arrays, and rows are locked one by one. */

import type { Columns, Dialect } from '../sql/driver.ts';
import { postgresJson } from './json.ts';

export const postgresDialect: Dialect = {
  name: 'postgres',
  oneOf: (parameter, of = 'text') => `= ANY(${parameter}::${typeOf(of)}[])`,
  // No join that a table in the order of its key would help with, as it is with an `=` of two columns: a look-up is the only way left.
  keyed: (value) => `= ANY(ARRAY[${value}])`,
  // Of two such lists the second would be left out as long as the table is small, and all with the first be read.
  keyedPair: (columns, values) =>
    `(${columns.join(', ')}) >= (${values.join(', ')}) AND (${columns.join(', ')}) <= (${values.join(', ')})`,
  oneFrom: (query) => `= ANY(ARRAY(${query}))`,
  least: (column, source) => `SELECT ${column} FROM ${source} ORDER BY ${column} LIMIT 1`,
  greatest: (column, source) => `SELECT ${column} FROM ${source} ORDER BY ${column} DESC LIMIT 1`,
  lock: ' FOR UPDATE',
  lockInOrderOf: (column) => ` ORDER BY ${column} FOR UPDATE`,
  skipLocked: ' FOR UPDATE SKIP LOCKED',
  each: (columns) => ({ values: given(columns), from: unnested(columns, 0) }),
  many: (shared, own) => {
    const names = Object.keys(shared);
    const values = Object.fromEntries(names.map((name, index) => [name, `$${index + 1}::${typeOf(shared[name])}`]));
    return { values: { ...values, ...given(own) }, from: unnested(own, names.length) };
  },
  orRollback: '',
  clock: (ownMs) => `COALESCE(${ownMs}::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)`,
  row: 'id',
  named: 'finished',
  taskOf: (id) => `CROSS JOIN LATERAL (SELECT * FROM tasks WHERE id = ${id} LIMIT 1) AS task WHERE true`,
  tasksOf: (behind) => `CROSS JOIN LATERAL (SELECT * FROM tasks ${behind}) AS task`,
  json: postgresJson,
};

/** A row is found by its id. */
function typeOf(column: Columns[string] | undefined): string {
  return column === 'bigint' ? 'bigint' : 'text';
}

/** Names of their own: a bare name in a statement is always a column of its table. */
function given(columns: Columns): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(columns).map((name, index) => [name, `given.v${index + 1}`]));
}

function unnested(columns: Columns, before: number): string {
  const names = Object.keys(columns);
  const arrays = names.map((name, index) => `$${before + index + 1}::${typeOf(columns[name])}[]`).join(', ');
  const aliases = names.map((_name, index) => `v${index + 1}`).join(', ');
  return `FROM unnest(${arrays}) WITH ORDINALITY AS given(${aliases}, n)`;
}
