/** Reading inside of JSON texts, in the words of SQLite. */

import type { JsonDialect, JsonScalar } from '../sql/driver.ts';

export const sqliteJson: JsonDialect = {
  scalar: (column, path, parameter, condition) => {
    const json = validOrNull(column);
    const paths = pathsOf(path);
    const [only] = paths;
    if (only !== undefined && paths.length === 1) return `(${condition(readings(json, parameter(only)))})`;
    // In each place a document has a list or an object: at most one of the paths leads anywhere.
    return `EXISTS (SELECT 1 FROM json_each(${parameter(JSON.stringify(paths))}) AS step
      WHERE json_type(${json}, step.value) IS NOT NULL AND (${condition(readings(json, 'step.value'))}))`;
  },
  some: (json, field, condition) =>
    `EXISTS (SELECT 1 FROM json_each(${validOrNull(json)}, '$.${field}') AS item WHERE ${condition('item.value')})`,
  hasAny: (json, field, parameter) =>
    `EXISTS (SELECT 1 FROM json_each(${validOrNull(json)}, '$.${field}') AS item WHERE item.value IN (SELECT value FROM json_each(${parameter})))`,
  items: (column, field) => `json_each(${validOrNull(column)}, '$${field === undefined ? '' : `.${field}`}') AS item`,
};

/** One text that is no JSON would end a search that only passes it by. It costs a fifth of the look, since both read the same text once. */
function validOrNull(json: string): string {
  return `(CASE WHEN json_valid(${json}) THEN ${json} END)`;
}

function readings(json: string, path: string): JsonScalar {
  const type = `CASE json_type(${json}, ${path})`;
  const value = `json_extract(${json}, ${path})`;
  const text = `${json} -> ${path}`;
  return {
    string: `${type} WHEN 'text' THEN ${value} END`,
    literal: `${type} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' END`,
    number: `${type} WHEN 'integer' THEN CAST(${value} AS REAL) WHEN 'real' THEN ${value} END`,
    numberText: `${type} WHEN 'integer' THEN ${text} WHEN 'real' THEN ${text} END`,
  };
}

/** Longer positions overflow in SQLite, and no list is that long. */
const position = /^(?:0|[1-9]\d{0,8})$/;

/** SQLite writes a field and a position differently; a step of digits may be both. */
function pathsOf(path: readonly string[]): readonly string[] {
  let paths: readonly string[] = ['$'];
  for (const step of path) {
    const field = `.${JSON.stringify(step)}`;
    paths = paths.flatMap((each) =>
      position.test(step) ? [`${each}${field}`, `${each}[${step}]`] : [`${each}${field}`],
    );
  }
  return paths;
}
