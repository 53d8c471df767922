/** Validates an input with the JSON Schema a worker published, where the task's code is not at hand. */

import { type ZodType, z } from 'zod';
import { type AnySchema, parseWith } from '../client/schema.ts';
import type { Definition } from '../core/presence.ts';
import { parseBounded } from './bounded-parse.ts';
import { safeSchema } from './foreign-schema.ts';

/** Compiled schemas by task and version; a deployment of a thousand tasks fits, an endless row of versions does not fill memory. */
const compiled = new Map<string, AnySchema>();
const compiledMax = 2_000;

/**
 * The input with the schema's defaults. Throws INVALID_INPUT that names wrong paths. Patterns are not run, and a schema that cannot
 * be compiled, or could take long, accepts anything: the worker validates again, with the code, before it runs the task.
 */
export function parseWithJsonSchema({ name, schemaVersion, inputSchema }: Definition, input: unknown): unknown {
  return parseWith(
    schemaVersion === null ? compile(inputSchema) : remembered(`${schemaVersion} ${name}`, inputSchema),
    input,
    name,
    'INVALID_INPUT',
  );
}

function remembered(key: string, inputSchema: unknown): AnySchema {
  const known = compiled.get(key);
  if (known !== undefined) return known;
  if (compiled.size >= compiledMax) compiled.clear();
  const schema = compile(inputSchema);
  compiled.set(key, schema);
  return schema;
}

function compile(schema: unknown): AnySchema {
  return bounded(compiledSchema(schema));
}

/** A list of a million wrong elements would hold up the server for seconds. */
function bounded(schema: ZodType): AnySchema {
  const validate = (value: unknown) => {
    const parsed = parseBounded(schema, value);
    return parsed.success ? { value: parsed.data } : { issues: parsed.issues };
  };
  return { '~standard': { version: 1, vendor: 'taskflow', validate } };
}

function compiledSchema(schema: unknown): ZodType {
  const safe = safeSchema(schema);
  if (safe === null) return z.unknown();
  try {
    return z.fromJSONSchema(safe as z.core.JSONSchema.JSONSchema);
  } catch {
    // Conditions, dependent fields and the like have no form in zod.
    return z.unknown();
  }
}
