/** Every operation as programs see it over HTTP: its address, what goes in and what comes out as JSON Schema. From the registry alone. */

import { z } from 'zod';
import type { Operation } from '../operations/operation.ts';
import { operations } from '../operations/registry.ts';

/** A JSON Schema, in the words of draft 2020-12. */
export type JsonSchema = { readonly [word: string]: unknown };

export interface Field {
  readonly name: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** One operation at its address. */
export interface Endpoint {
  readonly operation: Operation<unknown, unknown>;
  /** Below the root of the API, with `{id}` for what it names. */
  readonly path: string;
  readonly inPath: readonly Field[];
  /** Of a GET in the query, else in the body. */
  readonly fields: readonly Field[];
  /** The name of its output among the schemas; of a stream that of each event. */
  readonly output: string;
}

export interface Contract {
  /** In the order of the registry. */
  readonly endpoints: readonly Endpoint[];
  /** The documents that answers are made of, by name. */
  readonly schemas: Readonly<Record<string, JsonSchema>>;
}

let contract: Promise<Contract> | null = null;

/** Made once: the registry does not change while a program runs. */
export function readContract(): Promise<Contract> {
  contract ??= makeContract(Object.values(operations) as unknown as readonly Operation<unknown, unknown>[]);
  return contract;
}

async function makeContract(all: readonly Operation<unknown, unknown>[]): Promise<Contract> {
  const schemas: Record<string, JsonSchema> = {};
  const endpoints = await Promise.all(
    all.map(async (operation): Promise<Endpoint> => {
      const input = inputFields(z.toJSONSchema(await operation.schema(), { io: 'input' }));
      const told = await (operation.rest.eventsOf ?? operation.output)();
      const output = z.toJSONSchema(told, { reused: 'inline' });
      const named = [...operation.rest.path.matchAll(/:(\w+)/g)].map(([, name]) => name);
      for (const [name, schema] of Object.entries(output.$defs ?? {})) schemas[name] = tidy(schema) as JsonSchema;
      return {
        operation,
        path: operation.rest.path.replaceAll(/:(\w+)/g, '{$1}'),
        inPath: input.filter(({ name }) => named.includes(name)),
        fields: input.filter(({ name }) => !named.includes(name)),
        output: String(output.$ref).replace('#/$defs/', ''),
      };
    }),
  );
  return { endpoints, schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) };
}

function inputFields(schema: z.core.JSONSchema.BaseSchema): readonly Field[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).map(([name, field]) => ({
    name,
    schema: tidy(field) as JsonSchema,
    isRequired: required.includes(name),
  }));
}

/**
 * What zod writes, for readers: references go to the components, a time has no pattern beside its format, and a whole number
 * no bound that is only that of a double.
 */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([word, inner]): [string, unknown][] => {
    if (word === 'id' && 'properties' in value) return [];
    if (word === '$ref' && typeof inner === 'string')
      return [[word, inner.replace('#/$defs/', '#/components/schemas/')]];
    if (word === 'pattern' && 'format' in value) return [];
    if ((word === 'minimum' || word === 'maximum') && Math.abs(Number(inner)) === Number.MAX_SAFE_INTEGER) return [];
    return [[word, tidy(inner)]];
  });
  return Object.fromEntries(entries);
}
