/** Values that are made once. */

/** Makes a value when it is first asked for, and keeps it; a `make` that throws is asked again. */
export function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
