/** Reading inside of JSON texts, in the words of Postgres. */

import type { JsonDialect } from '../sql/driver.ts';
import { arrayOf } from './text.ts';

export const postgresJson: JsonDialect = {
  scalar: (json, path, parameter) => {
    const value = `(${parsed(json)} #> ${parameter(arrayOf(path))}::text[])`;
    const type = `jsonb_typeof${value}`;
    const text = `(${value} #>> '{}')`;
    return {
      string: `CASE WHEN ${type} = 'string' THEN ${text} END`,
      literal: `CASE WHEN ${type} = 'boolean' THEN ${text} WHEN ${type} = 'null' THEN 'null' END`,
      number: `CASE WHEN ${type} = 'number' THEN ${text}::double precision END`,
      numberText: `CASE WHEN ${type} = 'number' THEN ${text} END`,
    };
  },
  some: (json, field, condition) =>
    `EXISTS (SELECT 1 FROM jsonb_array_elements_text(${parsed(json)} -> '${field}') AS item(value) WHERE ${condition('item.value')})`,
  items: (column) => `LATERAL jsonb_array_elements_text(${column}::jsonb) AS item(value)`,
};

/** A jsonb holds neither NUL nor half a pair; nobody can ask for them either. */
function parsed(json: string): string {
  return `regexp_replace(${json}, '\\\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})', '\\\\ufffd', 'g')::jsonb`;
}
