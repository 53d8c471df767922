/** The statement of one look of a search: the next stretch of each way, what of it the rest of the filter matches, and how far it went. */

import { summaryColumns, type TaskRow } from '../broker/sql/rows.ts';
import type { FilterTerm } from '../core/filter.ts';
import { conditionOf, type Draft, parameter } from './conditions.ts';
import type { Way } from './ways.ts';

/** Where the look ended, `null` for nowhere, in every row; the columns of a task are all NULL when none was found. */
export type LookRow = readonly [end: string | null, ...TaskRow];

export interface Look {
  readonly ways: readonly Way[];
  readonly rest: readonly FilterTerm[];
  /** The id before which to begin; `null` is the newest. */
  readonly from: string | null;
  /** Rows of each way. */
  readonly rows: number;
  /** Tasks, the newest. */
  readonly wanted: number;
}

export function lookText(look: Look, draft: Draft): string {
  const [way, ...others] = look.ways;
  if (way?.kind === 'index' && others.length === 0)
    return look.rest.length === 0 ? newestText(way, look, draft) : stretchText(way, look, draft);
  return unitedText(look, draft);
}

type IndexWay = Way & { readonly kind: 'index' };

const before = (column: string, from: string | null, draft: Draft): string =>
  from === null ? '' : ` AND ${column} < ${parameter(draft, from)}`;

const also = (rest: readonly FilterTerm[], draft: Draft): string =>
  rest.map((term) => ` AND ${conditionOf(term, draft)}`).join('');

/** All that the way leads to matches. */
function newestText(way: IndexWay, { from, wanted }: Look, draft: Draft): string {
  return `SELECT CAST(NULL AS text), ${summaryColumns} FROM tasks WHERE ${way.condition(draft)}${before('id', from, draft)}
    ORDER BY id DESC LIMIT ${wanted}`;
}

/** The next ids of a way, from its index alone. */
function stretchOf(name: string, way: IndexWay, from: string | null, rows: number, draft: Draft): string {
  return `${name} (id) AS MATERIALIZED (SELECT id FROM tasks WHERE ${way.condition(draft)}${before('id', from, draft)} ORDER BY id DESC LIMIT ${rows})`;
}

/** The last id of a stretch behind which its way goes on. The next one is asked for in the order of the index: nobody reads a table for whether there is any. */
function endOf(name: string, way: IndexWay, draft: Draft): string {
  const last = `(SELECT min(id) FROM ${name})`;
  return `(SELECT ${last} WHERE (SELECT id FROM tasks WHERE ${way.condition(draft)} AND id < ${last} ORDER BY id DESC LIMIT 1) IS NOT NULL)`;
}

/** One index: its rows are gone through in its order, and no further than to the last that is wanted. */
function stretchText(way: IndexWay, { rest, from, rows, wanted }: Look, draft: Draft): string {
  return `WITH ${stretchOf('stretch', way, from, rows, draft)}
    SELECT bound.ends, found.* FROM (SELECT ${endOf('stretch', way, draft)} AS ends) AS bound LEFT JOIN
      (SELECT ${summaryColumns} FROM tasks WHERE ${way.condition(draft)}${before('id', from, draft)}
        AND id >= (SELECT min(id) FROM stretch)${also(rest, draft)} ORDER BY id DESC LIMIT ${wanted}) AS found ON 1 = 1`;
}

/** Several ways: their stretches together, sorted, which are no more rows than one look may go over. */
function unitedText({ ways, rest, from, rows, wanted }: Look, draft: Draft): string {
  const most = rest.length === 0 ? wanted : rows;
  const stretches: string[] = [];
  const ids: string[] = [];
  const ends: string[] = [];
  for (const [index, way] of ways.entries()) {
    if (way.kind === 'list') {
      ids.push(
        `SELECT id AS way_id FROM tasks WHERE id ${draft.dialect.oneOf(parameter(draft, JSON.stringify(way.taskIds)))}`,
      );
    } else if (way.kind === 'rows') {
      ids.push(`SELECT id AS way_id FROM (${way.text(draft)}) AS rows${index} WHERE 1 = 1${before('id', from, draft)}`);
    } else {
      stretches.push(stretchOf(`stretch${index}`, way, from, most, draft));
      ids.push(`SELECT id AS way_id FROM stretch${index}`);
      if (rest.length > 0) ends.push(`SELECT ${endOf(`stretch${index}`, way, draft)} AS ends`);
    }
  }
  const bound =
    ends.length === 0
      ? 'SELECT CAST(NULL AS text) AS ends'
      : `SELECT max(ends) AS ends FROM (${ends.join(' UNION ALL ')}) AS each_end`;
  return `${stretches.length === 0 ? '' : `WITH ${stretches.join(', ')} `}SELECT bound.ends, found.* FROM (${bound}) AS bound LEFT JOIN
      (SELECT ${summaryColumns} FROM (${ids.join(' UNION ')}) AS way ${draft.dialect.taskOf('way_id')}${also(rest, draft)} ORDER BY id DESC LIMIT ${wanted}) AS found ON 1 = 1`;
}
