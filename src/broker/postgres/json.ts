/** Reading inside of JSON texts, in the words of Postgres. `json_or_null` is our own: a text that is no JSON is no document to it, and no error. */

import type { JsonDialect } from '../sql/driver.ts';
import { arrayOf } from './text.ts';

export const postgresJson: JsonDialect = {
  scalar: (json, path, parameter, condition) => {
    const type = 'jsonb_typeof(item.value)';
    const text = `(item.value #>> '{}')`;
    const number = 'item.value::numeric';
    const holds = condition({
      string: `CASE WHEN ${type} = 'string' THEN ${text} END`,
      literal: `CASE WHEN ${type} = 'boolean' THEN ${text} WHEN ${type} = 'null' THEN 'null' END`,
      // What somebody wrote by hand may be more, or less, than there is room for.
      number: `CASE WHEN ${type} = 'number' THEN CASE WHEN abs(${number}) BETWEEN 1e-307 AND 1.7e308 OR ${number} = 0 THEN ${text}::double precision END END`,
      numberText: `CASE WHEN ${type} = 'number' THEN ${text} END`,
    });
    // Read once for all of them: without OFFSET it would be written out, and read, in each place.
    const value = `json_or_null(${json}) #> ${parameter(arrayOf(path))}::text[]`;
    return `EXISTS (SELECT 1 FROM (SELECT ${value} AS value OFFSET 0) AS item WHERE ${holds})`;
  },
  some: (json, field, condition) =>
    `EXISTS (SELECT 1 FROM ${listIn(json, `$.${field}[*]`)} AS item(value) WHERE ${condition('item.value')})`,
  // In half the time that a list of the items takes.
  hasAny: (json, field, parameter) => `COALESCE(json_or_null(${json}) -> '${field}' ?| ${parameter}::text[], false)`,
  items: (column, field) => `LATERAL ${listIn(column, field === undefined ? '$[*]' : `$.${field}[*]`)} AS item(value)`,
};

/** What is no list has no items. */
function listIn(json: string, path: string): string {
  return `jsonb_array_elements_text(jsonb_path_query_array(json_or_null(${json}), '${path}'))`;
}
