/** What reading a JSON text again would give, made from the value it was written from: without a copy of every string. */

/** A value whose JSON form is not simply its fields: dates, instances, what has a `toJSON`. */
const indirect = Symbol('indirect');

/**
 * The same as `JSON.parse(text)` for the `text` that `encodeJson` has made of `value`: fields that are `undefined` are
 * missing, −0 is 0. Nothing of it is shared with the value but strings, so whoever changes one does not change the other.
 */
export function copyAsJson(value: unknown, text: string, depthMax: number): unknown {
  const copy = copyOf(value, depthMax);
  return copy === indirect ? JSON.parse(text) : copy;
}

function copyOf(value: unknown, depth: number): unknown {
  // −0 is written as 0.
  if (typeof value === 'number') return value + 0;
  if (typeof value !== 'object' || value === null) return value;
  // Deeper than what was written: it answers differently each time.
  if (depth === 0) return indirect;
  return Array.isArray(value) ? copyOfList(value, depth - 1) : copyOfObject(value, depth - 1);
}

function copyOfList(list: readonly unknown[], depth: number): unknown {
  if (Object.getPrototypeOf(list) !== Array.prototype || 'toJSON' in list) return indirect;
  const copy: unknown[] = [];
  for (const item of list) {
    const copied = copyOf(item, depth);
    if (copied === indirect) return indirect;
    copy.push(copied);
  }
  return copy;
}

function copyOfObject(object: object, depth: number): unknown {
  if (Object.getPrototypeOf(object) !== Object.prototype || 'toJSON' in object) return indirect;
  // The engine copies an object of a known shape at once.
  const copy: Record<string, unknown> = { ...object };
  if (Object.getOwnPropertySymbols(copy).length > 0) return indirect;
  for (const key in copy) {
    const field = copy[key];
    if (typeof field === 'string') continue;
    // Rare enough to be read from the text.
    if (field === undefined) return indirect;
    const copied = copyOf(field, depth);
    if (copied === indirect) return indirect;
    if (copied !== field || copied === 0) copy[key] = copied;
  }
  return copy;
}
