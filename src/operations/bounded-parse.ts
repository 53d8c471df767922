/** Reads values by schemas of zod, and finds no more mistakes in them than somebody will be told. */

import type { core, ZodType } from 'zod';
import { limits } from '../core/limits.ts';

export type BoundedParse<Value> =
  | { readonly success: true; readonly data: Value }
  /** `isCut`: there may be more behind the first. */
  | { readonly success: false; readonly issues: readonly core.$ZodIssue[]; readonly isCut: boolean };

/** Not in the types, but kept by every container of zod: none goes on behind the first mistake in it. */
const stopping = { abortEarly: true } as core.ParseContext<core.$ZodIssue>;

/** All mistakes of a value of at most `limits.problemValuesMax` values, the first of a larger one. */
export function parseBounded<Value>(schema: ZodType<Value>, value: unknown): BoundedParse<Value> {
  const isCut = countValues(value, limits.problemValuesMax) >= limits.problemValuesMax;
  const parsed = schema.safeParse(value, isCut ? stopping : undefined);
  return parsed.success ? parsed : { success: false, issues: parsed.error.issues, isCut };
}

/** How many values are in a document, counted up to `max`. */
function countValues(document: unknown, max: number): number {
  const open = [document];
  let count = 0;
  while (open.length > 0 && count < max) {
    const value = open.pop();
    count++;
    if (typeof value !== 'object' || value === null) continue;
    for (const each of Array.isArray(value) ? value : fieldsOf(value, max)) {
      if (open.length + count >= max) return max;
      open.push(each);
    }
  }
  return count;
}

/** The first fields of an object: a list of all of a million would take as long as reading it. */
function fieldsOf(object: object, max: number): readonly unknown[] {
  const fields: unknown[] = [];
  for (const key in object) {
    if (fields.push((object as Readonly<Record<string, unknown>>)[key]) >= max) break;
  }
  return fields;
}
