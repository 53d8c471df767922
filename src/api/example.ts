/** Makes examples from schemas: valid ones, with words a reader knows where the name of a field says what it is. */

import type { Endpoint, Field, JsonSchema } from './contract.ts';

type Schemas = Readonly<Record<string, JsonSchema>>;

const taskId = '01K8Q2M4ZJF0C9YF4V7Z0B2HNX';

/** By noun: what `name` and `id` are there. */
const nameOf: Readonly<Record<string, string>> = {
  task: 'email.welcome',
  queue: 'email',
  group: 'acme',
  limit: 'smtp',
  schedule: 'report.nightly',
};
const idOf: Readonly<Record<string, string>> = { worker: 'ada-mbp-4121' };

/** By field, where the type alone would say nothing. */
const knownValues: Readonly<Record<string, unknown>> = {
  input: { userId: 'ada' },
  result: { sent: true },
  queue: 'email',
  worker: 'ada-mbp-4121',
  workerName: 'ada-mbp-4121',
  host: 'ada-mbp',
  reason: 'maintenance',
  q: 'state:failed since:6h',
  from: '7d',
  tags: ['vip'],
  version: 1,
  pid: 4121,
  concurrency: 10,
  fields: { to: 'ada@example.org' },
  message: 'connection refused',
  words: 'At 02:30, Europe/Berlin',
  cron: '30 2 * * *',
  timezone: 'Europe/Berlin',
};

/** Optional fields that are worth showing in an example of an input. */
const shown: ReadonlySet<string> = new Set(['input', 'queue', 'reason', 'q', 'limit']);
/** But for those that go with another example than the first. */
const unshown: ReadonlySet<string> = new Set(['operation.create queue']);

/** The input of an operation in full, as `perform` takes it. */
export function exampleInput(endpoint: Endpoint): Readonly<Record<string, unknown>> {
  const fields = [...endpoint.inPath, ...exampleFields(endpoint)];
  return Object.fromEntries(fields.map((field) => [field.name, exampleField(endpoint, field)]));
}

/** Those of the query or the body that an example has: what has to be there, and what is used most. */
export function exampleFields({ operation, fields }: Endpoint): readonly Field[] {
  return fields.filter(
    ({ name, isRequired }) => isRequired || (shown.has(name) && !unshown.has(`${operation.name} ${name}`)),
  );
}

export function exampleField({ operation }: Endpoint, { name, schema }: Field): unknown {
  return valueFor(schema, name, { noun: nounOf(operation.name), schemas: {} });
}

/** An answer of an operation, or an event of its stream, every field filled in. */
export function exampleOutput({ operation, output }: Endpoint, schemas: Schemas): unknown {
  return valueFor({ $ref: `#/components/schemas/${output}` }, '', { noun: nounOf(operation.name), schemas });
}

interface Place {
  readonly noun: string;
  readonly schemas: Schemas;
}

function nounOf(operation: string): string {
  return operation.split('.', 1)[0] ?? '';
}

function valueFor(schema: JsonSchema, name: string, place: Place): unknown {
  const { $ref, anyOf, oneOf, type, properties, items } = schema as {
    readonly $ref?: string;
    readonly anyOf?: readonly JsonSchema[];
    readonly oneOf?: readonly JsonSchema[];
    readonly type?: string | readonly string[];
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly items?: JsonSchema;
  };
  if (Array.isArray(schema.examples)) return schema.examples[0];
  if ($ref !== undefined) return valueFor(place.schemas[$ref.replace('#/components/schemas/', '')] ?? {}, name, place);
  const [any] = anyOf ?? oneOf ?? [];
  if (any !== undefined) return valueFor(any, name, place);
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if ('const' in schema) return schema.const;
  const first = Array.isArray(type) ? type[0] : type;
  if (first === 'object') return objectFor(schema, properties, place);
  if (first === 'array' && name !== 'tags') return items === undefined ? [] : [valueFor(items, singular(name), place)];
  return plainFor(schema, first, name, place);
}

function objectFor(schema: JsonSchema, properties: Readonly<Record<string, JsonSchema>> | undefined, place: Place) {
  if (properties !== undefined)
    return Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, valueFor(inner, name, place)]));
  const { additionalProperties, propertyNames } = schema as {
    readonly additionalProperties?: JsonSchema;
    readonly propertyNames?: { readonly enum?: readonly string[] };
  };
  if (typeof additionalProperties !== 'object') return {};
  return { [propertyNames?.enum?.[0] ?? 'email']: valueFor(additionalProperties, '', place) };
}

function plainFor(schema: JsonSchema, type: unknown, name: string, { noun }: Place): unknown {
  if (schema.format === 'date-time') return '2026-11-23T09:30:00.000Z';
  if (name === 'id' || name === 'taskId') return type === 'string' ? (idOf[noun] ?? taskId) : 1;
  if (name === 'ids' || name === 'after' || name === 'next' || name === 'flow') return taskId;
  if (name === 'name') return nameOf[noun] ?? 'email.welcome';
  const known = knownValues[name];
  if (known !== undefined && (type === undefined || type === typeof known || Array.isArray(known))) return known;
  switch (type) {
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' && schema.minimum > 0 ? schema.minimum : schema.minimum === 0 ? 3 : 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'string':
      return textFor(name);
    default:
      return { any: 'JSON' };
  }
}

function textFor(name: string): string {
  return /^(delay|per|wait|timeout|max|keyFor|expiresIn|startWithin)$/.test(name) ? '10s' : name || 'text';
}

function singular(name: string): string {
  return name === 'ids' || name === 'tasks' || !name.endsWith('s') ? name : name.slice(0, -1);
}
