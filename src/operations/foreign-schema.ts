/** Makes of a JSON Schema that a worker published one that is safe to check inputs with: nothing in it takes longer than the input is long. */

import { limits } from '../core/limits.ts';

type JsonObject = Readonly<Record<string, unknown>>;

/** Keywords that hold a schema, or a list of them. */
const holders: ReadonlySet<string> = new Set([
  'items',
  'prefixItems',
  'additionalItems',
  'additionalProperties',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contains',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
  'anyOf',
  'oneOf',
  'allOf',
]);

/** Keywords that hold a schema for each of their names. */
const maps: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas']);

/** Patterns are programs of somebody else: one of ten characters can take years. What they would have said of other names is not known then. */
const patterns: ReadonlySet<string> = new Set(['pattern', 'patternProperties']);
const besidePatterns: ReadonlySet<string> = new Set(['additionalProperties', 'unevaluatedProperties']);

/** Keywords whose schemas are about the same value as the one around them. */
const besideValue = ['anyOf', 'oneOf', 'allOf', 'not', 'if', 'then', 'else'] as const;

/** Keywords whose schemas are about what is in the value: each element and each field is looked at by one of them, and by `contains` again. */
const insideValue = [
  'items',
  'prefixItems',
  'additionalItems',
  'properties',
  'additionalProperties',
  'propertyNames',
] as const;

/**
 * The schema without its patterns; `null` for one that is not checked at all, because it has too many parts, or because ways through it
 * double with each level: the worker checks its inputs before it runs a task, with its own code.
 */
export function safeSchema(schema: unknown): JsonObject | null {
  const seen = { parts: 0 };
  const safe = partOf(schema, seen);
  return isObject(safe) && seen.parts <= limits.schemaPartsMax && !isInItself(safe) ? safe : null;
}

function partOf(part: unknown, seen: { parts: number }): unknown {
  if (Array.isArray(part)) return part.map((each) => partOf(each, seen));
  if (!isObject(part)) return part;
  seen.parts += waysIn(part) > 1 ? Number.POSITIVE_INFINITY : 1;
  if (seen.parts > limits.schemaPartsMax) return {};
  const hasPatterns = 'patternProperties' in part;
  const kept = Object.entries(part).filter(
    ([name]) => !patterns.has(name) && !(hasPatterns && besidePatterns.has(name)),
  );
  return Object.fromEntries(
    kept.map(([name, value]) => {
      if (holders.has(name)) return [name, partOf(value, seen)];
      if (!maps.has(name) || !isObject(value)) return [name, value];
      return [name, Object.fromEntries(Object.entries(value).map(([key, each]) => [key, partOf(each, seen)]))];
    }),
  );
}

/**
 * Ways from here to elsewhere in the schema for the same value, or for what is in it: with two of them each level may be looked at twice as
 * often as the one above.
 */
function waysIn(part: JsonObject): number {
  // One type named twice is tried twice.
  if (Array.isArray(part.type) && new Set(part.type).size < part.type.length) return 2;
  const branches = besideValue.flatMap((name) => part[name] ?? []);
  const inside = [insideValue.some((name) => refers(part[name])), refers(part.contains), '$ref' in part];
  return branches.filter(refers).length + inside.filter(Boolean).length;
}

function refers(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(refers);
  return isObject(value) && ('$ref' in value || Object.values(value).some(refers));
}

/** Whether one of its parts is about a value what it is itself about that value, which never ends. */
function isInItself(root: JsonObject): boolean {
  const starts = [root, ...['$defs', 'definitions'].flatMap((name) => Object.values(root[name] ?? {}))];
  return starts.some((start) => {
    const passed = new Set<string>();
    for (let at: unknown = start; ; ) {
      const reference = referenceIn(at);
      if (reference === null) return false;
      if (passed.has(reference)) return true;
      passed.add(reference);
      at = targetOf(root, reference);
      // Where it leads is not known here.
      if (at === undefined) return true;
    }
  });
}

/** The only one there may be about the same value. */
function referenceIn(part: unknown): string | null {
  if (!isObject(part)) return null;
  if (typeof part.$ref === 'string') return part.$ref;
  const inner = besideValue.flatMap((name) => part[name] ?? []).map(referenceIn);
  return inner.find((reference) => reference !== null) ?? null;
}

function targetOf(root: JsonObject, reference: string): unknown {
  if (reference === '#') return root;
  const [, map = '', name = ''] = /^#\/(\$defs|definitions)\/([^/~%]+)$/.exec(reference) ?? [];
  const parts = root[map];
  return isObject(parts) && Object.hasOwn(parts, name) ? parts[name] : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
