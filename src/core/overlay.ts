/** An object as it is, but for some of it. */

/**
 * What `changes` has, and all else as `base` has it when it is asked for: what is put in place of a method later, or answered by
 * a getter, is seen. A copy would keep what was there when it was made.
 */
export function overlay<Base extends object>(base: Base, changes: Partial<Base>): Base {
  return Object.assign(Object.create(base) as Base, changes);
}
