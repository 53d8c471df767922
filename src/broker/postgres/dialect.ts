/** What Postgres says differently: lists and rows of values come as arrays, and rows are locked one by one. */

import type { Columns, Dialect } from '../sql/driver.ts';
import { postgresJson } from './json.ts';

const transaction = 'pg_current_xact_id()::text::bigint';

/**
 * How many transactions after this one a row's was numbered, modulo 2³²: behind a savepoint a row has a number of its own, which
 * is in progress as long as the whole is. What others have stored and we can see has ended.
 */
const since = `((xmin::text::bigint - ${transaction}) & 4294967295)`;

export const postgresDialect: Dialect = {
  name: 'postgres',
  oneOf: (parameter, of = 'text') => `= ANY(${parameter}::${of}[])`,
  lock: ' FOR UPDATE',
  lockInOrderOf: (column) => ` ORDER BY ${column} FOR UPDATE`,
  skipLocked: ' FOR UPDATE SKIP LOCKED',
  each: (columns) => ({ values: given(columns), from: unnested(columns, 0) }),
  many: (shared, own) => {
    const names = Object.keys(shared);
    const values = Object.fromEntries(names.map((name, index) => [name, `$${index + 1}::${shared[name]}`]));
    return { values: { ...values, ...given(own) }, from: unnested(own, names.length) };
  },
  orRollback: '',
  isOwn: ` AND CASE WHEN ${since} < 2147483648 THEN pg_xact_status((${transaction} + ${since})::text::xid8) = 'in progress' ELSE false END`,
  json: postgresJson,
};

/** Names of their own: a bare name in a statement is always a column of its table. */
function given(columns: Columns): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(columns).map((name, index) => [name, `given.v${index + 1}`]));
}

function unnested(columns: Columns, before: number): string {
  const names = Object.keys(columns);
  const arrays = names.map((name, index) => `$${before + index + 1}::${columns[name]}[]`).join(', ');
  const aliases = names.map((_name, index) => `v${index + 1}`).join(', ');
  return `FROM unnest(${arrays}) WITH ORDINALITY AS given(${aliases}, n)`;
}
