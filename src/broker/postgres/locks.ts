/** Names as numbers of advisory locks. */

import type { LockScope } from '../sql/driver.ts';

/**
 * Names share so many numbers in their scope: a batch of a thousand keys must not fill the server's table of locks. Those of
 * queues are few, and a claim that waits for another queue's would wait for nothing.
 */
const members: Readonly<Record<LockScope, number>> = {
  settings: 1,
  schedules: 1,
  keys: 64,
  flows: 64,
  tokens: 2 ** 31,
  queues: 4_096,
  folding: 1,
  migrations: 1,
};

/** The group is that of the scope in this namespace; members come in one order, so that nobody waits crosswise. */
export function lockKey(
  namespace: string,
  scope: LockScope,
  names: readonly string[],
): { readonly group: number; readonly members: readonly number[] } {
  const numbers = new Set(names.map((name) => (hash(name) >>> 0) % members[scope]));
  return { group: lockGroup(namespace, scope), members: [...numbers].sort((left, right) => left - right) };
}

/** The group of a scope in this namespace. */
export function lockGroup(namespace: string, scope: LockScope | 'events' | 'standing'): number {
  return hash(`taskflow ${scope} ${namespace}`);
}

/** FNV-1a with 32 bits, signed. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value | 0;
}
