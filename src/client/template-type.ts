/** The type of a template such as 'welcome:{userId}': names only fields the input has. */

type Scalar = string | number | boolean | bigint;

/** How many levels of an input a template may reach into; bounds what the compiler has to unfold. */
type LevelBelow = [never, 0, 1, 2, 3];

/** Dotted paths to the scalars of `Input`; any string when the input is unknown. */
export type FieldPath<Input, Level extends number = 4> = [Level] extends [never]
  ? never
  : unknown extends Input
    ? string
    : Input extends Scalar | readonly unknown[] | Date | ((...args: never[]) => unknown)
      ? never
      : Input extends object
        ? { [Key in keyof Input & string]: PathsBelow<Key, NonNullable<Input[Key]>, Level> }[keyof Input & string]
        : never;

type PathsBelow<Key extends string, Field, Level extends number> = Field extends Scalar
  ? Key
  : unknown extends Field
    ? Key | `${Key}.${string}`
    : `${Key}.${FieldPath<Field, LevelBelow[Level]>}`;

/** The names between braces. */
type Fields<Text extends string> = Text extends `${string}{${infer Field}}${infer Rest}` ? Field | Fields<Rest> : never;

/** What a wrong template is not assignable to: the compiler prints this name with the field. */
interface UnknownField<Field> {
  readonly 'the input has no such field': Field;
}

/**
 * `Text` when every field in braces is a scalar of `Input`, else a type nothing is assignable to. Rendered from the
 * validated input wherever the task is enqueued: in this process, over HTTP, from the command line.
 */
export type Template<Text extends string, Input> = Text &
  ([Exclude<Fields<Text>, FieldPath<Input>>] extends [never] ? unknown : UnknownField<Exclude<Fields<Text>, FieldPath<Input>>>);
