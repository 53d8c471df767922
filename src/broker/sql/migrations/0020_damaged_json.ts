/** A look into a stored text that is no JSON: Postgres would end the whole statement at the first one. */

import type { Dialect } from '../driver.ts';

export const name = '0020_damaged_json';

/** Behind the backslash of an escape: what a jsonb does not hold, NUL and half a pair. Nobody can ask for them either. */
const unheld = 'u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})';

/** The statements, in order. */
export function up(dialect: Dialect): readonly string[] {
  if (dialect.name === 'sqlite') return [];
  return [
    `CREATE FUNCTION json_or_null(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
      BEGIN
        RETURN value::jsonb;
      EXCEPTION WHEN others THEN
        BEGIN
          RETURN regexp_replace(value, '\\\\${unheld}', '\\\\ufffd', 'g')::jsonb;
        EXCEPTION WHEN others THEN
          RETURN NULL;
        END;
      END $$`,
  ];
}
