/** Finds the first thing in a value that JSON, a store or a reader could not take, and says where it is. */

/** The first problem of a value. `path` reads like code: `user.tags[3]`, `(root)` for the value itself. */
export interface JsonProblem {
  readonly path: string;
  readonly reason: string;
  /** Nesting is the problem, not what the value is. */
  readonly tooDeep: boolean;
}

/** Returns the first problem in reading order, or null. Slow and exact; never throws, whatever the value does. */
export function problemOf(value: unknown, depthMax: number): JsonProblem | null {
  return problemIn(value, [], [], depthMax);
}

type Path = readonly (string | number)[];

function problemIn(value: unknown, path: Path, ancestors: readonly unknown[], depthMax: number): JsonProblem | null {
  const reason = problemOfScalar(value);
  if (reason !== null) return problem(path, reason);
  if (typeof value !== 'object' || value === null) return null;
  if (ancestors.includes(value)) return problem(path, 'it refers back to a value that contains it');
  if (ancestors.length >= depthMax) return { ...problem(path, `it is deeper than ${depthMax} levels`), tooDeep: true };
  try {
    return problemOfObject(value, path, ancestors, depthMax);
  } catch (thrown) {
    return problem(path, `reading it throws ${said(thrown)}`);
  }
}

function problemOfScalar(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0')) return 'it contains a NUL character';
      return value.isWellFormed() ? null : 'it contains half of a surrogate pair';
    case 'number':
      return Number.isFinite(value) ? null : `${value} has no form in JSON`;
    case 'bigint':
      return 'a bigint has no form in JSON; pass it as a string';
    case 'undefined':
      return 'undefined has no form in JSON; use null';
    case 'function':
    case 'symbol':
      return `a ${typeof value} has no form in JSON`;
    default:
      return null;
  }
}

function problemOfObject(
  value: object,
  path: Path,
  ancestors: readonly unknown[],
  depthMax: number,
): JsonProblem | null {
  const toJson: unknown = (value as { toJSON?: unknown }).toJSON;
  if (typeof toJson === 'function') {
    return problemIn(toJson.call(value, String(path.at(-1) ?? '')), path, [...ancestors, value], depthMax);
  }
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (Array.isArray(value)) return problemOfList(value, path, ancestors, depthMax);
  if (tag !== 'Object')
    return problem(path, `a ${tag} has no form in JSON${tag === 'Promise' ? '; is an await missing?' : ''}`);
  return problemOfFields(value as Readonly<Record<string, unknown>>, path, ancestors, depthMax);
}

function problemOfList(
  list: readonly unknown[],
  path: Path,
  ancestors: readonly unknown[],
  depthMax: number,
): JsonProblem | null {
  for (let i = 0; i < list.length; i++) {
    if (!Object.hasOwn(list, i)) return problem([...path, i], 'the list has a hole here');
    const found = problemIn(list[i], [...path, i], [...ancestors, list], depthMax);
    if (found !== null) return found;
  }
  return null;
}

function problemOfFields(
  fields: Readonly<Record<string, unknown>>,
  path: Path,
  ancestors: readonly unknown[],
  depthMax: number,
): JsonProblem | null {
  for (const key of Object.keys(fields)) {
    const here = [...path, key];
    const reason = problemOfKey(key);
    if (reason !== null) return problem(here, reason);
    let field: unknown;
    try {
      field = fields[key];
    } catch (thrown) {
      return problem(here, `reading it throws ${said(thrown)}`);
    }
    if (field === undefined) continue;
    if (key === 'constructor' && typeof field === 'object' && field !== null && Object.hasOwn(field, 'prototype')) {
      return problem([...here, 'prototype'], 'this key could change other objects where the value is copied');
    }
    const found = problemIn(field, here, [...ancestors, fields], depthMax);
    if (found !== null) return found;
  }
  return null;
}

function problemOfKey(key: string): string | null {
  if (key === '__proto__') return 'this key could change other objects where the value is copied';
  if (key.includes('\0')) return 'the key contains a NUL character';
  return key.isWellFormed() ? null : 'the key contains half of a surrogate pair';
}

function problem(path: Path, reason: string): JsonProblem {
  return { path: formatPath(path), reason, tooDeep: false };
}

/** The path as code, bounded: the beginning and the end of a long one. */
function formatPath(path: Path): string {
  if (path.length === 0) return '(root)';
  const steps = path.map((step, index) => {
    if (typeof step === 'number') return `[${step}]`;
    if (/^[A-Za-z_$][\w$]{0,60}$/.test(step)) return index === 0 ? step : `.${step}`;
    return `[${JSON.stringify(step.slice(0, 60))}]`;
  });
  return steps.length <= 12 ? steps.join('') : `${steps.slice(0, 6).join('')}…${steps.slice(-4).join('')}`;
}

function said(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
    return JSON.stringify(text.slice(0, 200).replaceAll('\0', ' ').toWellFormed());
  } catch {
    return 'something that cannot be shown';
  }
}
