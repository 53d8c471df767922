/** What the schemas of outputs are made of: each is held to the interface of its document, by the compiler and by tests. */

import { type ZodType, z } from 'zod';
import { reasons, taskStates, taskViews } from '../core/states.ts';

/** The same without `readonly`, which schemas do not say and JSON does not know. */
type Plain<Value> = unknown extends Value
  ? unknown
  : Value extends readonly (infer Item)[]
    ? Plain<Item>[]
    : Value extends object
      ? { -readonly [Key in keyof Value]: Plain<Value[Key]> }
      : Value;

type Same<Left, Right> =
  (<Probe>() => Probe extends Left ? 1 : 2) extends <Probe>() => Probe extends Right ? 1 : 2 ? true : false;

type Agreement<Document, Shape> =
  Same<Plain<Document>, Plain<Shape>> extends true
    ? unknown
    : { readonly 'the schema differs from the interface': readonly [Document, Shape] };

/**
 * The schema of a document, under the name it has in the API's description. It compiles only where schema and interface are
 * the same, field for field: `documentSchema<QueueDocument>()('Queue', z.strictObject({ … }))`.
 */
export function documentSchema<Document>() {
  return <Schema extends ZodType>(
    id: string,
    schema: Schema & Agreement<Document, z.output<Schema>>,
  ): Schema & ZodType<Document> => schema.meta({ id }) as Schema & ZodType<Document>;
}

export const time = z.iso.datetime().describe('ISO 8601 in UTC');
export const state = z.enum(taskStates);
export const view = z.enum(taskViews);
export const reason = z.enum(reasons);
export const durationMs = z.number().describe('Milliseconds');
export const count = z.int().min(0);

/** What a rate is when it is told: when it is asked for, its time may be a text. */
export const rate = z.strictObject({ count: z.int(), perMs: z.int() });

export const pause = z.strictObject({ by: z.string(), reason: z.string().nullable(), at: time });

/** How many tasks are in each view; a view that is not there counts 0. */
export const viewCounts = z.partialRecord(view, count);

/** What `next` of a page is. */
export const next = z.string().nullable().describe('What the next page begins after; null on the last one');
