/** Validates an input with the JSON Schema a worker published, where the task's code is not at hand. */

import { type ZodType, z } from 'zod';
import { taskFlowError } from '../core/errors.ts';
import type { KnownDefinition } from './definitions.ts';
import { inputProblems, problemText } from './input.ts';

/** Compiled schemas by task and version; a deployment of a thousand tasks fits, an endless row of versions does not fill memory. */
const compiled = new Map<string, ZodType | null>();
const compiledMax = 2_000;

/**
 * The input with the schema's defaults. Throws INVALID_INPUT that names every wrong path. A schema that cannot be
 * compiled accepts anything: the worker validates again, with the code, before it runs the task.
 */
export function validateWithJsonSchema(definition: KnownDefinition, input: unknown): unknown {
  const schema = compile(definition);
  if (schema === null) return input;
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = inputProblems(schema, parsed.error.issues);
  throw taskFlowError('INVALID_INPUT', { name: definition.name, problems: problems.map(problemText).join('; ') }, { details: { problems } });
}

function compile(definition: KnownDefinition): ZodType | null {
  const { name, schemaVersion, inputSchema } = definition;
  if (schemaVersion === null) return fromJsonSchema(inputSchema);
  const key = `${schemaVersion} ${name}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  if (compiled.size >= compiledMax) compiled.clear();
  const schema = fromJsonSchema(inputSchema);
  compiled.set(key, schema);
  return schema;
}

function fromJsonSchema(schema: unknown): ZodType | null {
  if (typeof schema !== 'object' || schema === null) return null;
  try {
    return z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema);
  } catch {
    // Conditions, dependent fields and the like have no form in zod.
    return null;
  }
}
