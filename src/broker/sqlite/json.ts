/** Reading inside of JSON texts, in the words of SQLite. */

import type { JsonDialect } from '../sql/driver.ts';

export const sqliteJson: JsonDialect = {
  scalar: (json, path, parameter) => {
    const [only, ...others] = pathsOf(path);
    if (only === undefined) return { word: 'NULL', number: 'NULL', numberText: 'NULL' };
    if (others.length === 0) return readings(json, parameter(only));
    // A document has a list or an object in each place: at most one of the paths leads anywhere.
    const from = `FROM json_each(${parameter(JSON.stringify([only, ...others]))}) AS step WHERE json_type(${json}, step.value) IS NOT NULL LIMIT 1`;
    const { word, number, numberText } = readings(json, 'step.value');
    return {
      word: `(SELECT ${word} ${from})`,
      number: `(SELECT ${number} ${from})`,
      numberText: `(SELECT ${numberText} ${from})`,
    };
  },
  some: (json, field, condition) =>
    `EXISTS (SELECT 1 FROM json_each(${json}, '$.${field}') AS item WHERE ${condition('item.value')})`,
};

function readings(
  json: string,
  path: string,
): { readonly word: string; readonly number: string; readonly numberText: string } {
  const type = `CASE json_type(${json}, ${path})`;
  return {
    word: `${type} WHEN 'text' THEN json_extract(${json}, ${path}) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' END`,
    number: `${type} WHEN 'integer' THEN CAST(json_extract(${json}, ${path}) AS REAL) WHEN 'real' THEN json_extract(${json}, ${path}) END`,
    numberText: `${type} WHEN 'integer' THEN ${json} -> ${path} WHEN 'real' THEN ${json} -> ${path} END`,
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
