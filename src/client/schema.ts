/** Standard Schema: validates with any library that speaks it, and gets a JSON Schema from those that can give one. */

import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec';
import { taskFlowError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

/** A schema of any library: zod, valibot, arktype, typebox, … */
export type AnySchema = StandardSchemaV1<unknown, unknown>;

/** What goes into a schema, and what comes out of it. */
export type In<Schema extends AnySchema> = StandardSchemaV1.InferInput<Schema>;
export type Out<Schema extends AnySchema> = StandardSchemaV1.InferOutput<Schema>;

/** One thing that is wrong with a value. `path` reads like code (`items[0].name`) and is empty for the value itself. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

const pathMax = 200;
/** Problems told in one message; the rest is in the details of the error. */
const problemsToldMax = 5;

/** Whether a value is a Standard Schema. Some libraries' schemas are functions. */
export function isSchema(value: unknown): value is AnySchema {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function') || !('~standard' in value))
    return false;
  const standard = value['~standard'];
  return (
    typeof standard === 'object' &&
    standard !== null &&
    'validate' in standard &&
    typeof standard.validate === 'function'
  );
}

/**
 * Validates and transforms. Throws `code` for the task `name`, naming wrong paths; the details hold the first
 * `limits.problemsMax` of them. A schema that answers with a promise gets one from here, which rejects with the same.
 */
export function parseWith(schema: AnySchema, value: unknown, name: string, code: Refusal): unknown {
  const result = validate(schema, value, { name, code });
  if (!('then' in result)) return outcomeOf(result, name, code);
  return result.then(
    (settled) => outcomeOf(settled, name, code),
    (error: unknown) => refuse(error, name, code),
  );
}

function outcomeOf(result: StandardSchemaV1.Result<unknown>, name: string, code: Refusal): unknown {
  if (result.issues === undefined) return result.value;
  const problems = result.issues.slice(0, limits.problemsMax).map(problemOf);
  throw invalid(code, name, problems, result.issues.length - problems.length);
}

type Refusal = 'INVALID_INPUT' | 'INVALID_OUTPUT';

const tooMany: Problem = { path: '', message: 'it has more mistakes than can be told' };

function validate(
  schema: AnySchema,
  value: unknown,
  { name, code }: { readonly name: string; readonly code: Refusal },
) {
  try {
    return schema['~standard'].validate(value);
  } catch (error) {
    return refuse(error, name, code);
  }
}

/** Libraries hand on lists of mistakes as arguments of a call, of which there may be some hundred thousand. */
function refuse(error: unknown, name: string, code: Refusal): never {
  throw error instanceof RangeError ? invalid(code, name, [tooMany]) : error;
}

/** `more` problems are not among those that are told. */
function invalid(code: Refusal, name: string, problems: readonly Problem[], more = 0): Error {
  const told = problems
    .slice(0, problemsToldMax)
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  const rest = problems.length + more - told.length;
  if (rest > 0) told.push(`and ${rest} more`);
  return taskFlowError(code, { name, problems: told.join('; ') }, { details: { problems } });
}

/**
 * The JSON Schema of what goes into `schema` (draft 2020-12), or `null` when its library cannot give one. Parts that
 * JSON Schema cannot express accept anything.
 */
export function jsonSchemaOf(schema: AnySchema): Readonly<Record<string, unknown>> | null {
  const standard: StandardSchemaV1.Props & Partial<StandardJSONSchemaV1.Props> = schema['~standard'];
  if (standard.jsonSchema === undefined) return null;
  try {
    return standard.jsonSchema.input({ target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } });
  } catch {
    // The specification lets a converter throw for what it cannot express: the task then goes without a JSON Schema.
    return null;
  }
}

function problemOf(issue: StandardSchemaV1.Issue): Problem {
  return { path: pathText(issue.path ?? []), message: issue.message };
}

/** `items[0].name`, as in code; empty for the value itself. Cut to a length that can be shown. */
export function pathText(path: readonly (PropertyKey | StandardSchemaV1.PathSegment)[]): string {
  let text = '';
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'number') text += `[${key}]`;
    else text += text === '' ? String(key) : `.${String(key)}`;
  }
  return text.length <= pathMax ? text : `${text.slice(0, pathMax - 1)}…`;
}
