/** Templates such as 'welcome:{userId}': names of keys, groups and limits that any surface can render from a task's input. */
import { type TaskFlowError, taskFlowError } from './errors.ts';
import { limits } from './limits.ts';
import { didYouMean } from './nearest.ts';

/**
 * A template over an input of type `I`. At least one placeholder must name a field (or a field of a field) that holds
 * a string, number, boolean or date: `'user:{user.id}'`. For wide types (`unknown`, records) it is any string.
 * TypeScript cannot refuse a second, wrong placeholder here: {@link CheckedTemplate} does, where the text is inferred.
 */
export type Template<I> = string extends FieldPath<I> ? string : `${string}{${FieldPath<I>}}${string}`;

/**
 * `T` when every placeholder of `T` names a field of `I`, else a type no string has, which names the wrong one. For
 * generic positions: `<const T extends string>(key: CheckedTemplate<T, I>)`. Allows texts without placeholders.
 */
export type CheckedTemplate<T extends string, I> = string extends T
  ? T
  : string extends FieldPath<I>
    ? T
    : WrongPlaceholder<T, FieldPath<I>> extends infer Wrong
      ? [Wrong] extends [never]
        ? T
        : `no such field: ${Wrong & string}`
      : never;

type Scalar = string | number | bigint | boolean | Date;
type KeyOf<I> = Extract<keyof I, string>;

/** Paths to scalar fields, one or two levels deep; `string` when the type does not know its fields. */
export type FieldPath<I> = unknown extends I
  ? string
  : string extends keyof I
    ? string
    : { [K in KeyOf<I>]: PathFrom<K, NonNullable<I[K]>> }[KeyOf<I>];
type PathFrom<K extends string, V> = unknown extends V
  ? string
  : V extends Scalar
    ? K
    : V extends readonly unknown[]
      ? never
      : string extends keyof V
        ? `${K}.${string}`
        : {
            [L in KeyOf<V>]: NonNullable<V[L]> extends Scalar
              ? `${K}.${L}`
              : unknown extends V[L]
                ? `${K}.${string}`
                : never;
          }[KeyOf<V>];

type WrongPlaceholder<T extends string, P extends string> = T extends `${string}{${infer Rest}`
  ? Rest extends `{${infer Literal}`
    ? WrongPlaceholder<Literal, P>
    : Rest extends `${infer Name}}${infer After}`
      ? (Name extends P ? never : Name) | WrongPlaceholder<After, P>
      : Rest
  : never;

/** A template that was read and can be rendered often. */
export interface CompiledTemplate {
  readonly text: string;
  /** Paths of its placeholders in order: `['user', 'id']`. */
  readonly paths: readonly (readonly string[])[];
  /** Renders the name for one input (a JSON value). Throws INVALID_OPTION, which names the field and what is wrong with it. */
  render(input: unknown): string;
}

/** What is known when a template is defined. */
export interface TemplateOptions {
  /** What the template is for, in errors: `key`. */
  readonly what: string;
  /** JSON Schema of the input: a template that names a field it cannot have is refused at once. */
  readonly inputSchema?: unknown;
}

/** Reads and renders a template once; `what` is what it is for (`key`). Throws INVALID_OPTION. */
export function renderTemplate(text: string, input: unknown, what: string): string {
  return compileTemplate(text, { what }).render(input);
}

type Piece = { readonly literal: string } | { readonly path: readonly string[]; readonly escaped: RegExp | null };

/**
 * Reads a template. `{a.b}` is filled from the input; `{{` and `}}` stand for braces. Between two placeholders there must
 * be a separator, and where one follows, its first character and `%` are written as %XX within the value: two inputs
 * with different values never render alike, and the last value stays as it is. Throws INVALID_OPTION.
 */
export function compileTemplate(text: string, options: TemplateOptions): CompiledTemplate {
  const pieces = readPieces(text, options.what);
  const paths = pieces.flatMap((piece) => ('path' in piece ? [piece.path] : []));
  for (const path of paths) checkAgainstSchema(path, options);
  const what = `${options.what} "${text}"`;
  return { text, paths, render: (input) => renderPieces(pieces, input, what) };
}

function readPieces(text: string, what: string): readonly Piece[] {
  if (text === '') throw refused(what, 'it is empty');
  if (text.length > limits.templateMax) throw refused(what, `it has more than ${limits.templateMax} characters`);
  if (text.includes('\0') || !text.isWellFormed()) throw refused(what, 'it contains a NUL or half of a surrogate pair');
  // Literals (with doubled braces) and placeholders in turn; what is left over is a brace out of place.
  const parts = text.match(/(?:[^{}]|\{\{|\}\})+|\{[^{}]*\}|[{}]/g) ?? [];
  return parts.map((part, index) => {
    if (part === '{' || part === '}')
      throw refused(what, `"${part}" in "${shown(text)}" is alone`, 'Write {{ or }} for a brace itself.');
    if (!isPlaceholder(part)) return { literal: part.replaceAll('{{', '{').replaceAll('}}', '}') };
    const next = parts[index + 1];
    if (next !== undefined && isPlaceholder(next))
      throw refused(what, `nothing separates ${part} from ${next}`, `Write ${part}:${next}.`);
    return placeholder(part.slice(1, -1), next, what);
  });
}

function isPlaceholder(part: string): boolean {
  return part.startsWith('{') && !part.startsWith('{{');
}

function placeholder(name: string, next: string | undefined, what: string): Piece {
  const path = name.split('.');
  if (!path.every((step) => /^[\p{L}\p{N}_$-]+$/u.test(step)))
    throw refused(what, `"{${shown(name)}}" is not the name of a field`, 'Write {userId} or {user.id}.');
  const escaped =
    next === undefined
      ? null
      : new RegExp(`[%${/^[\]\\^-]/.test(next) ? '\\' : ''}${String.fromCodePoint(next.codePointAt(0) ?? 0)}]`, 'gu');
  return { path, escaped };
}

function renderPieces(pieces: readonly Piece[], input: unknown, what: string): string {
  let rendered = '';
  for (const piece of pieces) {
    if ('literal' in piece) rendered += piece.literal;
    else {
      const value = textOf(input, piece.path, what);
      rendered += piece.escaped === null ? value : value.replace(piece.escaped, percentEncoded);
    }
  }
  if (rendered.length > limits.keyMax)
    throw refused(
      what,
      `it renders to ${rendered.length} characters, at most ${limits.keyMax} are allowed`,
      'Use a shorter field, such as an id.',
    );
  return rendered;
}

function percentEncoded(character: string): string {
  return encodeURIComponent(character) === character
    ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
    : encodeURIComponent(character);
}

function textOf(input: unknown, path: readonly string[], what: string): string {
  let value = input;
  for (const [index, step] of path.entries()) {
    const here = path.slice(0, index + 1).join('.');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
      const siblings = typeof value === 'object' && value !== null ? Object.keys(value).slice(0, 100) : [];
      throw refused(what, `the input has no field ${here}.${didYouMean(step, siblings)}`);
    }
    value = (value as Readonly<Record<string, unknown>>)[step];
  }
  return scalarText(value, path.join('.'), what);
}

function scalarText(value: unknown, name: string, what: string): string {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0') || !value.isWellFormed())
        throw refused(what, `${name} contains a NUL or half of a surrogate pair`);
      return value;
    case 'number':
      if (!Number.isFinite(value)) throw refused(what, `${name} is ${value}`);
      return String(value);
    case 'boolean':
    case 'bigint':
      return String(value);
    default: {
      // A date, before it was written as JSON, has the same text as after.
      const form: unknown =
        typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
          ? value.toJSON()
          : undefined;
      if (typeof form === 'string') return form;
      throw refused(
        what,
        `${name} is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`}, not a text or number`,
      );
    }
  }
}

/** Follows a path through plain `properties`; where a schema branches, refers or is open, everything is possible. */
function checkAgainstSchema(path: readonly string[], options: TemplateOptions): void {
  let schema: unknown = options.inputSchema;
  for (const [index, step] of path.entries()) {
    if (!isRecord(schema) || !isRecord(schema.properties) || branches(schema)) return;
    if (!Object.hasOwn(schema.properties, step)) {
      if (
        schema.additionalProperties === true ||
        isRecord(schema.additionalProperties) ||
        isRecord(schema.patternProperties)
      )
        return;
      throw refused(
        options.what,
        `the input has no field ${path.slice(0, index + 1).join('.')}.${didYouMean(step, Object.keys(schema.properties))}`,
      );
    }
    schema = schema.properties[step];
  }
  if (isRecord(schema) && (schema.type === 'object' || schema.type === 'array' || schema.type === 'null')) {
    throw refused(options.what, `${path.join('.')} is of type ${schema.type}, not a text or number`);
  }
}

function branches(schema: Readonly<Record<string, unknown>>): boolean {
  return ['$ref', 'anyOf', 'oneOf', 'allOf', 'if'].some((word) => word in schema);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

function refused(what: string, problem: string, hint?: string): TaskFlowError {
  return taskFlowError('INVALID_OPTION', { what, problem }, hint === undefined ? {} : { hint });
}
