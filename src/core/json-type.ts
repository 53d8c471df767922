/** The type of a value after its trip through JSON: what a result is when somebody else reads it. */

/** What a handler without a `return` gives. */
type Nothing = undefined | ReturnType<() => void>;

type JsonScalar = string | number | boolean | null;

/**
 * What is left of `Value` after `JSON.stringify` and `JSON.parse`: a Date is a string, functions are gone, a handler
 * that returned nothing gives `undefined`.
 */
export type AsJson<Value> = unknown extends Value
  ? Value
  : Value extends JsonScalar
    ? Value
    : Value extends Nothing
      ? undefined
      : Value extends { toJSON(...args: never[]): infer Form }
        ? AsJson<Form>
        : Value extends ((...args: never[]) => unknown) | symbol | bigint
          ? never
          : Value extends readonly unknown[]
            ? { [Index in keyof Value]: AsJson<Value[Index]> }
            : Value extends object
              ? {
                  [Key in keyof Value as Value[Key] extends (...args: never[]) => unknown ? never : Key]: AsJson<
                    Value[Key]
                  >;
                }
              : never;

/**
 * `Value`, readonly all the way down: what a handler may return. A `const` type parameter below it keeps literals
 * (`{ kind: 'daily' }`) that would else widen to `string` while the output schema is still being inferred.
 */
export type Frozen<Value> = unknown extends Value
  ? Value
  : Value extends JsonScalar | bigint | undefined | Date | ((...args: never[]) => unknown)
    ? Value
    : { readonly [Key in keyof Value]: Frozen<Value[Key]> };
