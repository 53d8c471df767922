/** Tells which values a schema would answer as they are: to look at every field that a task could have, and has not, is a tenth of its way over HTTP. */

import type { core, ZodType } from 'zod';

/** Whether a schema is sure to answer an equal value. */
type Fits = (value: unknown) => boolean;

const known = new WeakMap<core.$ZodType, Fits>();

/**
 * Whether the schema would read this value as what it is: nothing is wrong with it, and nothing would be filled in, changed or left out.
 * `false` says nothing: then the schema has to be asked.
 */
export function isAsRead(schema: ZodType, value: unknown): boolean {
  let fits = known.get(schema);
  if (fits === undefined) {
    fits = fitsOf(schema);
    known.set(schema, fits);
  }
  return fits(value);
}

const never: Fits = () => false;

/** What is not certain for every value, such as a change or a rule of its own, fits none. */
function fitsOf(schema: core.$ZodType): Fits {
  const { def } = (schema as core.$ZodTypes)._zod;
  // What has a format is a rule of its own; a value that is made to fit is another one.
  if ('format' in def || ('coerce' in def && def.coerce === true)) return never;
  if (def.type === 'string') return fitsOfLength((value) => typeof value === 'string', def.checks);
  if (def.type === 'array') return fitsOfLength(fitsOfList(fitsOf(def.element)), def.checks);
  if (def.checks !== undefined && def.checks.length > 0) return never;
  switch (def.type) {
    case 'unknown':
      return () => true;
    case 'boolean':
      return (value) => typeof value === 'boolean';
    case 'number':
      return (value) => Number.isFinite(value);
    case 'enum':
      return fitsOfWords(Object.values(def.entries));
    case 'optional':
      return fitsOf(def.innerType);
    case 'nullable':
      return either((value) => value === null, fitsOf(def.innerType));
    case 'union':
      return fitsOfUnion(def);
    case 'object':
      return fitsOfObject(def.shape);
    default:
      return never;
  }
}

/** A text or list with nothing but bounds to its length. */
function fitsOfLength(fits: Fits, checks: readonly core.$ZodCheck<never>[] = []): Fits {
  let [min, max] = [0, Infinity];
  for (const check of checks) {
    const { def } = (check as unknown as core.$ZodChecks)._zod;
    if (def.check === 'min_length') min = Math.max(min, def.minimum);
    else if (def.check === 'max_length') max = Math.min(max, def.maximum);
    else return never;
  }
  return (value) => fits(value) && hasLength(value as { readonly length: number }, min, max);
}

function hasLength({ length }: { readonly length: number }, min: number, max: number): boolean {
  return length >= min && length <= max;
}

function fitsOfList(fits: Fits): Fits {
  return (value) => Array.isArray(value) && value.every(fits);
}

function fitsOfWords(words: readonly unknown[]): Fits {
  return (value) => words.includes(value);
}

/** The first that fits is the one, if those before it cannot change a value: such fit none. */
function fitsOfUnion({ options, inclusive }: core.$ZodUnionDef): Fits {
  const each = options.map(fitsOf);
  if (inclusive === false || each.includes(never)) return never;
  return each.reduce(either, never);
}

function either(first: Fits, second: Fits): Fits {
  return (value) => first(value) || second(value);
}

interface Field {
  readonly fits: Fits;
  readonly isRequired: boolean;
}

/** It looks at the fields that are there. */
function fitsOfObject(shape: core.$ZodShape): Fits {
  const fields = new Map<string, Field>(
    Object.entries(shape).map(([name, schema]) => [name, { fits: fitsOf(schema), isRequired: !mayBeLeftOut(schema) }]),
  );
  const required = [...fields.values()].filter(({ isRequired }) => isRequired).length;
  return (value) => {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
    let found = 0;
    for (const name in value) {
      const field = fields.get(name);
      if (field === undefined || !field.fits((value as Readonly<Record<string, unknown>>)[name])) return false;
      if (field.isRequired) found++;
    }
    return found === required;
  };
}

/** Where nothing would be filled in for it. */
function mayBeLeftOut(schema: core.$ZodType): boolean {
  const { def } = (schema as core.$ZodTypes)._zod;
  return def.type === 'optional' && def.innerType._zod.optin === undefined;
}
